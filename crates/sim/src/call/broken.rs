//! Answers that are not streamed and break in the middle.

use std::io;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;

use super::plan::Plan;
use super::{ended, json, stream as streamed};
use crate::app::{App, Stop};
use crate::ledger::Call;
use crate::marker::Break;

/// The response that breaks as asked.
pub(super) fn response(app: &App, plan: &Plan, how: Break, call: Call) -> Response {
    match how {
        Break::Eof => {
            let deltas = plan.deltas.min(streamed::BEFORE_BREAK);
            ended(call, json(plan.unfinished(deltas)))
        }
        Break::Error(error) => ended(call, json(plan.frame.failed(error))),
        Break::Cut => half(app, plan, false, call),
        Break::Hang => half(app, plan, true, call),
    }
}

/// Promises the whole answer and sends half of it.
fn half(app: &App, plan: &Plan, hangs: bool, call: Call) -> Response {
    let whole = Bytes::from(plan.whole("stop"));
    let length = HeaderValue::from(whole.len());
    let half =
        Half::Data { data: whole.slice(..whole.len() / 2), hangs, stop: app.stop.clone(), call };
    let mut response = json(Body::from_stream(stream::unfold(half, Half::next)));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

enum Half {
    Data { data: Bytes, hangs: bool, stop: Stop, call: Call },
    Silence { stop: Stop, call: Call },
    Cut { call: Call },
    Over,
}

impl Half {
    async fn next(self) -> Option<(io::Result<Bytes>, Self)> {
        match self {
            Self::Data { data, hangs: true, stop, call } => {
                Some((Ok(data), Self::Silence { stop, call }))
            }
            Self::Data { data, call, .. } => Some((Ok(data), Self::Cut { call })),
            Self::Silence { stop, call } => {
                let error = stop.stopped().await;
                drop(call);
                Some((Err(error), Self::Over))
            }
            Self::Cut { call } => Some((Err(streamed::cut(call).await), Self::Over)),
            Self::Over => None,
        }
    }
}
