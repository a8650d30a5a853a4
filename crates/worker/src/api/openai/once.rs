//! Before the network: sends once, and sees what comes back first. Prompts come through the client
//! library, which reads their events; requests that are forwarded come here at once.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header::CONTENT_TYPE};
use reqwest::{Body, Request, Response, Url};
use taskfleet_core::{
    failure::{Delivery, FailureKind},
    limits::MAX_RESULT_BYTES,
    outcome::Failure,
};

use super::{
    error_body, events::Events, exchange::Exchange, rate_limits::rate_limits, upload::Upload, words,
};
use crate::api::failure;

/// Errors have small bodies; what is longer is no error of an API.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// How long the body of an error may take.
const ERROR_BODY_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// A body that came whole.
pub(super) struct WholeAnswer {
    pub(super) body: Bytes,
    /// For words.
    pub(super) content_type: String,
}

/// The service under the client library, for one call.
#[derive(Clone)]
pub(super) struct SendOnce {
    http: reqwest::Client,
    exchange: Arc<Exchange>,
}

impl SendOnce {
    pub(super) fn new(http: reqwest::Client, exchange: Arc<Exchange>) -> Self {
        Self { http, exchange }
    }

    /// Makes a call that is answered in one piece. The client library has no part in it: it would
    /// copy what it reads, and write what it cannot read into the log.
    pub(super) async fn forward(&self, request: Request) -> Result<WholeAnswer, Failure> {
        let response = self.exchange(request).await?;
        let content_type = content_type(response.headers());
        let body = read(response, MAX_RESULT_BYTES).await?;
        self.exchange.progress.reached(Delivery::Answered);
        Ok(WholeAnswer { body, content_type })
    }

    async fn send(self, factory: HttpRequestFactory) -> Result<Response, OpenAIError> {
        let request = factory.build().await?;
        // It keeps the body for another try, which there never is.
        drop(factory);
        match self.exchange(request).await {
            Ok(response) => Ok(Events::response(response, Arc::clone(&self.exchange))),
            Err(failure) => {
                self.exchange.fail(failure);
                // The reason stands in the exchange; this only tells the library to give up.
                Err(OpenAIError::InvalidArgument("see the exchange".into()))
            }
        }
    }

    /// The answer's beginning, of a success.
    async fn exchange(&self, request: Request) -> Result<Response, Failure> {
        let sent = self.http.execute(self.watched(request)).await;
        let response = sent.map_err(|error| unreachable(error, self.exchange.key()))?;
        let status = response.status().as_u16();
        let request_id = text(response.headers(), "x-request-id");
        self.exchange.progress.response_started(status, request_id);
        if let Some(limits) = rate_limits(response.headers()) {
            self.exchange.progress.limited_by(limits);
        }
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        Ok(response)
    }

    /// The request with a body that says when it is sent.
    fn watched(&self, mut request: Request) -> Request {
        if let Some(body) = request.body_mut().take() {
            let upload = Upload::new(body, Arc::clone(&self.exchange.progress));
            *request.body_mut() = Some(Body::wrap(upload));
        }
        request
    }

    async fn refusal(&self, response: Response) -> Failure {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // Status and headers decide; a body that stalls must not turn them into a timeout.
        let reading = tokio::time::timeout(ERROR_BODY_WITHIN, read(response, MAX_ERROR_BYTES));
        let body = reading.await.ok().and_then(Result::ok).unwrap_or_default();
        self.exchange.progress.reached(Delivery::Answered);
        error_body::refusal(status, &headers, &body, &self.exchange)
    }
}

impl tower::Service<HttpRequestFactory> for SendOnce {
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        Box::pin(self.clone().send(factory))
    }
}

/// The body, at most `max` bytes of it.
async fn read(mut response: Response, max: usize) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| broken())? {
        body.extend_from_slice(&chunk);
        if body.len() > max {
            return Err(Failure::too_large());
        }
    }
    Ok(body.freeze())
}

/// No status came. Names the host: whoever set a wrong address sees it there.
fn unreachable(error: reqwest::Error, key: Option<&str>) -> Failure {
    let host = error.url().map(host).unwrap_or_default();
    // Its own words would show the whole address, which may hold a password.
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let what = if error.is_connect() { "could not connect to" } else { "lost the connection to" };
    let said = format!("{what} the model API at {host}: {cause}");
    failure(FailureKind::Connection, words::clean(&said, key))
}

/// Host and port, where one is set: no user, password, path or query.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The connection broke inside the answer.
pub(super) fn broken() -> Failure {
    let words = "the connection to the model API broke in the middle of its answer";
    failure(FailureKind::Connection, words)
}

/// What the answer says it is: its type only, for words.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or("unknown type");
    essence.chars().take(64).collect()
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
