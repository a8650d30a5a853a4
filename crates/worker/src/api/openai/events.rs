//! The body of a streamed answer, looked through on its way to the client library.

use std::{convert::Infallible, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::stream;
use reqwest::{Body, Response};
use serde::de::IgnoredAny;
use taskfleet_core::{
    failure::{Delivery, FailureKind},
    limits::MAX_RESULT_BYTES,
    outcome::Failure,
};

use super::{
    exchange::Exchange,
    once::{broken, content_type},
};
use crate::api::failure;

/// JSON may write a character in six bytes; a line that is longer than this cannot hold a
/// result that would be taken.
const MAX_LINE_BYTES: usize = 2 * MAX_RESULT_BYTES;

/// Passes on whole lines of server-sent events as long as what they carry is JSON. Anything
/// else ends the stream and is noted, in sizes only: the client library would write it into
/// the log.
pub(super) struct Events {
    response: Response,
    exchange: Arc<Exchange>,
    /// The beginning of a line whose end has not come yet.
    partial: BytesMut,
    seen_bytes: usize,
    seen_event: bool,
    over: bool,
}

impl Events {
    /// The response that the client library reads.
    pub(super) fn response(response: Response, exchange: Arc<Exchange>) -> Response {
        let events = Self {
            response,
            exchange,
            partial: BytesMut::new(),
            seen_bytes: 0,
            seen_event: false,
            over: false,
        };
        let body = Body::wrap_stream(stream::unfold(events, Self::next));
        http::Response::new(body).into()
    }

    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        while !self.over {
            let lines = match self.response.chunk().await {
                Ok(Some(chunk)) => self.take(&chunk),
                Ok(None) => self.end(),
                Err(_) => {
                    self.exchange.fail(broken());
                    self.over = true;
                    None
                }
            };
            if let Some(lines) = lines {
                return Some((Ok(lines), self));
            }
        }
        None
    }

    /// The whole lines that have come, up to the first that is wrong.
    fn take(&mut self, chunk: &[u8]) -> Option<Bytes> {
        self.seen_bytes += chunk.len();
        let known = self.partial.len();
        self.partial.extend_from_slice(chunk);
        // Looked for in what is new only: a line may have come in thousands of pieces.
        let Some(end) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            if self.partial.len() > MAX_LINE_BYTES {
                self.exchange.fail(Failure::too_large());
                self.over = true;
            }
            return None;
        };
        let lines = self.partial.split_to(known + end + 1).freeze();
        let good = self.good_part(&lines);
        (good > 0).then(|| lines.slice(..good))
    }

    fn good_part(&mut self, lines: &[u8]) -> usize {
        let mut good = 0;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_good(line) {
                self.over = true;
                break;
            }
            good += line.len();
        }
        good
    }

    fn is_good(&mut self, line: &[u8]) -> bool {
        let Some(data) = line.strip_prefix(b"data:") else {
            return true;
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.exchange.set_done();
            self.exchange.progress.reached(Delivery::Answered);
            return true;
        }
        self.seen_event = true;
        if serde_json::from_slice::<IgnoredAny>(data).is_ok() {
            return true;
        }
        let words = format!("an event of the answer is no JSON: {} bytes", data.len());
        self.exchange.fail(failure(FailureKind::BadResponse, words));
        false
    }

    /// The body ended by itself. Some servers leave out the empty line after the last event, or
    /// even the end of its line: what came of it is whole when it is JSON.
    fn end(&mut self) -> Option<Bytes> {
        self.over = true;
        let mut last = std::mem::take(&mut self.partial);
        let good = self.is_good(&last);
        if !self.seen_event {
            self.exchange.fail(self.no_events());
        }
        last.extend_from_slice(b"\n\n");
        (good && self.seen_event).then(|| last.freeze())
    }

    fn no_events(&self) -> Failure {
        let content_type = content_type(self.response.headers());
        let bytes = self.seen_bytes;
        let words = format!("the answer is no stream of events: {bytes} bytes of {content_type}");
        failure(FailureKind::BadResponse, words)
    }
}
