//! Answers that are streamed: one body stream a call, no task, and a timer only while it waits.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;

use super::events;
use super::frame::Chunks;
use super::plan::Plan;
use crate::answer::Answer;
use crate::app::{App, Stop};
use crate::ledger::Call;
use crate::marker::Break;

/// Deltas that an answer sends before it breaks.
pub(super) const BEFORE_BREAK: u32 = 3;

/// Without a delay, deltas travel together in pieces of about this size: fast, and a long answer
/// is never in memory as a whole.
const PIECE_BYTES: usize = 16 * 1024;

/// The response that streams the answer and ends or breaks as planned.
pub(super) fn response(app: &App, plan: Plan, ending: Ending, call: Call) -> Response {
    let deltas = Deltas::new(app, plan, ending, call);
    let mut response = events(Body::from_stream(stream::unfold(deltas, Deltas::next)));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Aborts the connection: the error makes hyper close it without an end of the body.
pub(super) async fn cut(call: Call) -> io::Error {
    // An error drops what is not yet written: let hyper write it first.
    tokio::task::yield_now().await;
    call.end();
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut, as asked")
}

/// What comes after the deltas.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// This reason, unless the client's limit is one.
    Finish(&'static str),
    /// No reason, and only the first deltas before it.
    Break(Break),
}

struct Deltas {
    answer: Answer,
    chunks: Chunks,
    delay: Duration,
    stop: Stop,
    /// The delta to send next.
    next: u32,
    /// The first delta that is not sent.
    until: u32,
    ending: Ending,
    /// Taken when the call has ended.
    call: Option<Call>,
}

impl Deltas {
    fn new(app: &App, plan: Plan, ending: Ending, call: Call) -> Self {
        let (ending, until) = match ending {
            Ending::Break(_) => (ending, plan.deltas.min(BEFORE_BREAK)),
            Ending::Finish(reason) => (Ending::Finish(plan.finish_reason(reason)), plan.deltas),
        };
        Self {
            answer: plan.answer,
            chunks: plan.frame.into_chunks(),
            delay: plan.delay,
            stop: app.stop.clone(),
            next: 0,
            until,
            ending,
            call: Some(call),
        }
    }

    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.next == self.until {
            return self.after_last().await;
        }
        if self.next > 0
            && let Err(stopped) = self.stop.pause(self.delay).await
        {
            return Some((Err(stopped), self.over()));
        }
        Some((Ok(self.piece().into()), self))
    }

    /// The next delta, or as many as fit when nothing is to be waited for.
    fn piece(&mut self) -> String {
        let mut out = String::new();
        if self.next == 0 {
            self.chunks.open(&mut out);
        }
        self.delta(&mut out);
        while self.next < self.until && self.delay.is_zero() && out.len() < PIECE_BYTES {
            self.delta(&mut out);
        }
        if self.next == self.until {
            self.end(&mut out);
        }
        out
    }

    fn delta(&mut self, out: &mut String) {
        let mut text = String::new();
        self.answer.push(self.next, &mut text);
        self.next += 1;
        self.chunks.delta(&text, out);
    }

    /// What follows the last delta at once. The call ends before its last bytes leave, so that a
    /// client which has read them finds it ended.
    fn end(&mut self, out: &mut String) {
        match self.ending {
            Ending::Finish(reason) => {
                let text = || self.answer.text(self.until);
                self.chunks.end(self.until, reason, text, out);
            }
            Ending::Break(Break::Error(error)) => self.chunks.fail(error, out),
            Ending::Break(Break::Eof) => {}
            Ending::Break(Break::Cut | Break::Hang) => return,
        }
        if let Some(call) = self.call.take() {
            call.end();
        }
    }

    /// What follows the last delta and is not data.
    async fn after_last(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let call = self.call.take()?;
        let error = match self.ending {
            Ending::Break(Break::Hang) => {
                let error = self.stop.stopped().await;
                drop(call);
                error
            }
            _ => cut(call).await,
        };
        Some((Err(error), self))
    }

    fn over(mut self) -> Self {
        self.next = self.until;
        self.call = None;
        self
    }
}
