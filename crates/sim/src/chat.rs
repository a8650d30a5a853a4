//! `POST /v1/chat/completions`.

mod broken;
mod frame;
mod plan;
mod request;
mod stream;
mod whole;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::app::App;
use crate::errors::{ApiError, canned};
use crate::ledger::{Call, Ledger};
use crate::marker::{Act, RetryAfter};
use plan::Plan;
use stream::Ending;

/// Books the call, decides what becomes of it, and does that.
pub(crate) async fn completions(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = headers.get("x-client-request-id").and_then(|value| value.to_str().ok());
    let call = Ledger::begin(&app.ledger, request);
    let plan = match body {
        Ok(body) => Plan::make(&app, &call, &body),
        Err(rejection) => Err(unread(&rejection)),
    };
    match plan {
        Ok(plan) => {
            call.outcome(plan.step.outcome());
            perform(&app, plan, call).await.unwrap_or_else(aborted)
        }
        Err(error) => refused(call, error),
    }
}

/// The body is too large, or its client stopped sending it.
fn unread(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => canned::TOO_LARGE.clone(),
        _ => ApiError::invalid(None, None, "We could not read the body of your request."),
    }
}

fn refused(call: Call, error: ApiError) -> Response {
    call.outcome(if error.status == StatusCode::BAD_REQUEST { "400" } else { "413" });
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
        Act::Answer(reason) => ended(call, json(whole::body(&plan, reason))),
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
