//! A whole chat completion: the answer to a forwarded request.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use taskfleet_core::{failure::FailureKind, outcome::Failure};

use super::{
    error_body::{self, ProviderError},
    exchange::Exchange,
    streamed::filtered,
    usage,
};
use crate::api::{Answer, failure};

/// What of the answer is looked at; the rest is the client's.
#[derive(Deserialize)]
struct Completion<'a> {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
}

/// Decides what the answer was, and notes what it says about itself.
///
/// # Errors
/// It is an error, lacks its fields, or was filtered.
pub(super) fn judge(exchange: &Exchange) -> Result<Answer, Failure> {
    let body = exchange.take_body().ok_or_else(|| exchange.why())?;
    let completion: Option<Completion<'_>> = serde_json::from_slice(&body).ok();
    let reasons = completion.as_ref().and_then(Completion::reasons);
    let Some((completion, reasons)) = completion.zip(reasons) else {
        return Err(odd(&body, exchange));
    };
    exchange.progress.finished_with(reasons.first().cloned().unwrap_or_default());
    if let Some(model) = completion.model {
        exchange.progress.served_by(model);
    }
    if let Some(usage) = usage::read(completion.usage) {
        exchange.progress.used(usage);
    }
    // With some choices good, the client decides what to make of the others.
    if reasons.iter().all(|reason| reason == "content_filter") {
        return Err(filtered());
    }
    Ok(Answer::Body(body))
}

impl Completion<'_> {
    /// Why each choice stopped; `None` unless each one says so.
    fn reasons(&self) -> Option<Vec<String>> {
        let choices = self.choices.as_ref().filter(|choices| !choices.is_empty())?;
        choices.iter().map(|choice| choice.finish_reason.clone()).collect()
    }
}

fn odd(body: &[u8], exchange: &Exchange) -> Failure {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    match ProviderError::find(&value) {
        Some(error) => error_body::inside(&error, exchange),
        None => {
            let words = format!("the answer lacks its fields: {} bytes of JSON", body.len());
            failure(FailureKind::BadResponse, words)
        }
    }
}
