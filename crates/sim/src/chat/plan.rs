//! What is going to happen to one call, decided before anything is sent.

use std::time::Duration;

use super::frame::Frame;
use super::request::Request;
use crate::answer::{Answer, digest};
use crate::app::App;
use crate::errors::ApiError;
use crate::ledger::Call;
use crate::marker::{Act, Marker, Step};

/// What is going to happen to one call.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) step: Step,
    pub(super) answer: Answer,
    /// Deltas that are sent if nothing breaks: fewer than the answer has when the client allows
    /// fewer tokens.
    pub(super) deltas: u32,
    pub(super) latency: Duration,
    /// Between two deltas.
    pub(super) delay: Duration,
    pub(super) stream: bool,
    pub(super) frame: Frame,
}

impl Plan {
    /// # Errors
    /// The request or its marker is wrong.
    pub(super) fn make(app: &App, call: &Call, body: &[u8]) -> Result<Self, ApiError> {
        let request = Request::parse(body)?;
        let prompt = request.prompt();
        let marker = Marker::find(&prompt).map_err(|words| {
            ApiError::invalid(Some("messages"), Some("invalid_sim_marker"), words)
        })?;
        let deltas = marker.deltas.unwrap_or(app.settings.deltas);
        Ok(Self {
            step: step(app, call, &marker, &prompt),
            answer: Answer::new(&prompt, deltas, marker.bytes),
            deltas: deltas.min(request.max_tokens()),
            latency: marker.latency.unwrap_or(app.settings.latency),
            delay: marker.delay.unwrap_or(app.settings.delay),
            stream: request.streams(),
            frame: Frame::new(app, &request),
        })
    }

    /// A whole answer comes when a streamed one would be complete; an error comes at once.
    pub(super) fn before_first_byte(&self) -> Duration {
        match self.step.act {
            Act::Answer(_) | Act::Break(_) if !self.stream => {
                let between = self.delay.saturating_mul(self.deltas - 1);
                self.latency.saturating_add(between)
            }
            _ => self.latency,
        }
    }

    /// The `finish_reason`: an answer cut short by the client's limit says `length`.
    pub(super) fn finish_reason(&self, meant: &'static str) -> &'static str {
        if meant == "stop" && self.deltas < self.answer.deltas() { "length" } else { meant }
    }
}

fn step(app: &App, call: &Call, marker: &Marker, prompt: &str) -> Step {
    let nth = match call.nth() {
        Some(nth) => nth,
        None if marker.has_sequence() => app.ledger.nth_of_prompt(digest(prompt)),
        None => 1,
    };
    marker.step(nth).unwrap_or_else(|| app.chance.draw())
}
