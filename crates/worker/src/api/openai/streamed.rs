//! A streamed chat completion, put together from its events.

use serde::Deserialize;
use serde_json::value::RawValue;
use taskfleet_core::{
    failure::{Delivery, FailureKind},
    limits::MAX_RESULT_BYTES,
    outcome::Failure,
};

use super::{
    error_body::{self, ProviderError},
    exchange::Exchange,
    json, usage,
};
use crate::api::{Answer, failure};

/// What of an event is looked at; compatible servers leave out and add what they like.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    choices: Option<Vec<Choice>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u32>,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

/// Takes event after event and decides, when no more come, what the answer was.
pub(super) struct StreamedAnswer<'a> {
    exchange: &'a Exchange,
    finish_reason: Option<String>,
    model_known: bool,
}

impl<'a> StreamedAnswer<'a> {
    pub(super) fn new(exchange: &'a Exchange) -> Self {
        Self { exchange, finish_reason: None, model_known: false }
    }

    /// One event.
    ///
    /// # Errors
    /// It is an error, or lacks what every event has, or the text has become too large.
    pub(super) fn take(&mut self, json: &str) -> Result<(), Failure> {
        let Ok(event) = serde_json::from_str::<Event<'_>>(json) else {
            return Err(self.odd(json));
        };
        let is_error = |object: &RawValue| object.get() == r#""error""#;
        if json::said(event.error).is_some() || event.object.is_some_and(is_error) {
            return Err(self.odd(json));
        }
        self.note(event.model, event.usage);
        let choices = event.choices.unwrap_or_default();
        let first = |choice: &Choice| choice.index.unwrap_or(0) == 0;
        choices.into_iter().filter(first).try_for_each(|choice| self.choice(choice))
    }

    fn note(&mut self, model: Option<&RawValue>, usage: Option<&RawValue>) {
        let model = model.filter(|_| !self.model_known);
        if let Some(model) = json::text(model).filter(|model| !model.is_empty()) {
            self.model_known = true;
            self.exchange.progress.served_by(model);
        }
        if let Some(usage) = usage::read(usage) {
            self.exchange.progress.used(usage);
        }
    }

    fn choice(&mut self, choice: Choice) -> Result<(), Failure> {
        let text = choice.delta.and_then(|delta| delta.content).unwrap_or_default();
        if !text.is_empty() && self.exchange.progress.push(&text) > MAX_RESULT_BYTES {
            return Err(Failure::too_large());
        }
        if let Some(reason) = choice.finish_reason {
            self.finish_reason = Some(reason);
        }
        Ok(())
    }

    fn odd(&self, json: &str) -> Failure {
        match ProviderError::find(json) {
            Some(error) => error_body::inside(&error, self.exchange),
            None => {
                let words =
                    format!("an event of the answer lacks its fields: {} bytes", json.len());
                failure(FailureKind::BadResponse, words)
            }
        }
    }

    /// The stream has ended. Without a reason to stop it was cut, however well it ended as a
    /// stream; with one it is whole, whatever came after.
    pub(super) fn finish(self) -> Result<Answer, Failure> {
        let whole = |reason: &String| !reason.is_empty() || self.exchange.is_done();
        let Some(reason) = self.finish_reason.filter(whole) else {
            return Err(self.exchange.failure().unwrap_or_else(cut));
        };
        self.exchange.progress.reached(Delivery::Answered);
        self.exchange.progress.finished_with(reason.clone());
        if reason == "content_filter" { Err(filtered()) } else { Ok(Answer::Text) }
    }
}

fn cut() -> Failure {
    failure(FailureKind::BadResponse, "the answer ended without a reason to stop: it was cut")
}

pub(super) fn filtered() -> Failure {
    failure(FailureKind::ContentFiltered, "the model API filtered the content")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use taskfleet_core::outcome::Call;
    use taskfleet_runtime::Clock;

    use super::*;
    use crate::api::Progress;

    fn read(events: &[&str], done: bool) -> (Result<Answer, Failure>, Call, String) {
        let progress = Arc::new(Progress::default());
        let exchange = Exchange::new(Arc::clone(&progress), None, Clock::system());
        let mut answer = StreamedAnswer::new(&exchange);
        let taken = events.iter().try_for_each(|event| answer.take(event));
        if done {
            exchange.set_done();
        }
        (taken.and_then(|()| answer.finish()), progress.call(), progress.text())
    }

    fn kind(events: &[&str]) -> FailureKind {
        read(events, false).0.unwrap_err().kind
    }

    const HI: &str = r#"{"model":"m","choices":[{"index":0,"delta":{"content":"hi"}}]}"#;

    #[test]
    fn an_unknown_reason_or_an_empty_one_before_the_end_loses_nothing() {
        let abort = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"abort"}],"x":[1]}"#;
        let (answer, call, text) = read(&[HI, abort], false);
        assert_eq!((answer, text.as_str()), (Ok(Answer::Text), "hi"));
        assert_eq!((call.finish_reason.as_str(), call.served_model.as_str()), ("abort", "m"));
        let empty = r#"{"choices":[{"delta":{"content":"!"},"finish_reason":""}]}"#;
        assert_eq!(read(&[HI, empty], true).0, Ok(Answer::Text));
        assert_eq!(kind(&[HI, empty]), FailureKind::BadResponse);
    }

    #[test]
    fn errors_inside_a_stream_are_told_by_their_code() {
        let error = |code| format!(r#"{{"error":{{"message":"m","code":"{code}"}}}}"#);
        assert_eq!(kind(&[HI, &error("slow_down")]), FailureKind::RateLimited);
        assert_eq!(kind(&[HI, &error("server_error")]), FailureKind::ApiError);
        let flat = r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#;
        assert_eq!(kind(&[flat]), FailureKind::InvalidRequest);
    }

    #[test]
    fn odd_usage_is_no_usage_and_odd_events_are_bad() {
        let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":"free"}"#;
        let (answer, call, _) = read(&[HI, stop], false);
        assert_eq!((answer, call.usage), (Ok(Answer::Text), None));
        assert_eq!(kind(&["[]"]), FailureKind::BadResponse);
        assert_eq!(kind(&[r#"{"choices":7}"#]), FailureKind::BadResponse);
    }

    #[test]
    fn usage_may_come_after_the_last_choice() {
        let stop = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,
            "completion_tokens_details":{"reasoning_tokens":2}}}"#;
        let (_, call, _) = read(&[HI, stop, usage], false);
        let usage = call.usage.unwrap();
        assert_eq!((usage.total_tokens, usage.reasoning_tokens), (7, 2));
        assert_eq!(call.finish_reason, "length");
    }
}
