//! What is going to happen to one call, decided before anything is sent.

use std::time::Duration;

use super::frame::{Asked, Frame};
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
    /// The marker in the prompt is wrong.
    pub(super) fn make(app: &App, call: &Call, asked: Asked<'_>) -> Result<Self, ApiError> {
        let marker = Marker::find(&asked.prompt).map_err(|words| {
            ApiError::invalid(Some(asked.frame.param()), Some("invalid_sim_marker"), words)
        })?;
        let deltas = marker.deltas.unwrap_or(app.settings.deltas);
        let now = app.chance.behaviour();
        let latency = marker.latency.unwrap_or(now.latency);
        let jitter = marker.jitter.unwrap_or(now.jitter);
        let deltas = if asked.frame.has_text() { deltas } else { 1 };
        Ok(Self {
            step: step(app, call, &marker, &asked.prompt),
            answer: Answer::new(&asked.prompt, deltas, marker.bytes),
            deltas: deltas.min(asked.max_tokens.unwrap_or(u32::MAX)),
            latency: latency.saturating_add(app.chance.up_to(jitter)),
            delay: marker.delay.unwrap_or(now.delay),
            stream: asked.stream,
            frame: asked.frame,
        })
    }

    /// The body of a complete answer.
    pub(super) fn whole(&self, reason: &'static str) -> String {
        let text = self.answer.text(self.deltas);
        self.frame.whole(&text, self.deltas, Some(self.finish_reason(reason)))
    }

    /// The body of an answer that stops after `deltas` deltas and does not say why.
    pub(super) fn unfinished(&self, deltas: u32) -> String {
        self.frame.whole(&self.answer.text(deltas), deltas, None)
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
