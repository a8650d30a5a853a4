//! One call, whichever endpoint it is for: booked, planned, answered or broken.

mod broken;
mod frame;
mod plan;
mod stream;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::access;
use crate::app::App;
use crate::errors::{ApiError, canned};
use crate::ledger::{Call, Ledger};
use crate::limits::{self, Rejected, Standing};
use crate::marker::{Act, RetryAfter};
pub(crate) use frame::{Asked, Frame};
use plan::Plan;
use stream::Ending;

/// Reads what an endpoint was asked for.
type Read = for<'a> fn(&App, &'a [u8]) -> Result<Asked<'a>, ApiError>;

/// `POST /v1/chat/completions`
pub(crate) async fn chat(state: State<Arc<App>>, headers: HeaderMap, body: Received) -> Response {
    serve(state, &headers, body, crate::chat::read).await
}

/// `POST /v1/responses`
pub(crate) async fn responses(
    state: State<Arc<App>>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    serve(state, &headers, body, crate::responses::read).await
}

/// `POST /v1/embeddings`
pub(crate) async fn embeddings(
    state: State<Arc<App>>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    serve(state, &headers, body, crate::embeddings::read).await
}

type Received = Result<Bytes, BytesRejection>;

/// Books the call, decides what becomes of it, and does that.
async fn serve(
    State(app): State<Arc<App>>,
    headers: &HeaderMap,
    body: Received,
    read: Read,
) -> Response {
    let request = headers.get("x-client-request-id").and_then(|value| value.to_str().ok());
    let call = Ledger::begin(&app.ledger, request);
    let asked = access::check(app.settings.key.as_deref(), headers).and_then(|()| match &body {
        Ok(body) => read(&app, body),
        Err(rejection) => Err(unread(rejection)),
    });
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return refused(call, error),
    };
    let now = tokio::time::Instant::now();
    let standing = match app.limiter.admit(&asked.model, asked.charged_tokens(), now) {
        None => None,
        Some((standing, Ok(()))) => Some(standing),
        Some((standing, Err(rejected))) => return limited(call, standing, rejected),
    };
    let mut response = match Plan::make(&app, &call, asked) {
        Ok(plan) => {
            drop(body);
            call.outcome(plan.step.outcome());
            perform(&app, plan, call).await.unwrap_or_else(aborted)
        }
        Err(error) => refused(call, error),
    };
    if let Some(standing) = standing {
        standing.stamp(response.headers_mut());
    }
    response
}

fn limited(call: Call, standing: Standing, rejected: Rejected) -> Response {
    let mut response = refused(call, rejected.error);
    standing.stamp(response.headers_mut());
    if let Some(wait) = rejected.wait {
        limits::retry_after(response.headers_mut(), wait);
    }
    response
}

/// The body is too large, or its client stopped sending it.
fn unread(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => canned::TOO_LARGE.clone(),
        _ => ApiError::invalid(None, None, "We could not read the body of your request."),
    }
}

fn refused(call: Call, error: ApiError) -> Response {
    call.outcome(error.outcome());
    call.end();
    error.into_response()
}

/// # Errors
/// The simulator stopped meanwhile.
async fn perform(app: &App, plan: Plan, call: Call) -> io::Result<Response> {
    app.stop.pause(plan.before_first_byte()).await?;
    Ok(match plan.step.act {
        Act::Hang => return Err(app.stop.stopped().await),
        Act::Answer(reason) if plan.stream => {
            stream::response(app, plan, Ending::Finish(reason), call)
        }
        Act::Answer(reason) => ended(call, json(plan.whole(reason))),
        Act::Break(how) if plan.stream => stream::response(app, plan, Ending::Break(how), call),
        Act::Break(how) => broken::response(app, &plan, how, call),
        Act::Refuse(error, retry_after) => ended(call, with_wait(error.clone(), retry_after)),
        Act::Html => ended(call, html()),
        Act::Garbage if plan.stream => ended(call, events(Body::from("data: {not json\n\n"))),
        Act::Garbage => ended(call, json("{not json".to_owned())),
    })
}

/// The call ends with a response that is complete.
fn ended(call: Call, response: Response) -> Response {
    call.end();
    response
}

fn json(body: impl Into<Body>) -> Response {
    typed("application/json", body.into())
}

fn events(body: Body) -> Response {
    typed("text/event-stream; charset=utf-8", body)
}

fn html() -> Response {
    let page = "<html><head><title>500</title></head><body>Internal Server Error</body></html>";
    let mut response = typed("text/html", Body::from(page));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn typed(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn with_wait(error: ApiError, retry_after: RetryAfter) -> Response {
    let mut response = error.into_response();
    let (name, value) = match retry_after {
        RetryAfter::Unsaid => return response,
        RetryAfter::Seconds(seconds) => (RETRY_AFTER, seconds.to_string()),
        RetryAfter::Millis(millis) => {
            (HeaderName::from_static("retry-after-ms"), millis.to_string())
        }
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A response that closes the connection instead of being sent.
fn aborted(error: io::Error) -> Response {
    let nothing = futures::stream::iter([Err::<Bytes, _>(error)]);
    Response::new(Body::from_stream(nothing))
}
