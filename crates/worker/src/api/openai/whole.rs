//! An answer that came in one piece: the answer to a forwarded request.

mod chat;
mod embeddings;
mod responses;

use serde::Deserialize;
use serde_json::value::RawValue;
use taskfleet_core::{failure::FailureKind, outcome::Failure, task::Endpoint};

use super::{
    error_body::{self, ProviderError},
    exchange::Exchange,
    json,
    once::WholeAnswer,
    streamed::filtered,
    usage,
};
use crate::api::{Answer, failure};

/// What of an answer is looked at, whichever endpoint it is from; the rest is the client's.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What an endpoint's own fields say.
enum Verdict {
    /// It is whole, and stopped for this reason.
    Whole(String),
    /// The provider refused the content.
    Filtered,
    /// An error, or not what the endpoint answers with.
    Odd,
}

/// Decides what the answer was, and notes what it says about itself.
///
/// # Errors
/// It is no JSON object, is an error, lacks its fields, or was filtered.
pub(super) fn judge(
    endpoint: Endpoint,
    answer: WholeAnswer,
    exchange: &Exchange,
) -> Result<Answer, Failure> {
    let WholeAnswer { body, content_type } = answer;
    // One bad byte in a text that is the client's makes the answer no worse.
    let text = String::from_utf8_lossy(&body);
    if !text.trim_start().starts_with('{') {
        return Err(no_object(body.len(), &content_type));
    }
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(&text) else {
        return Err(no_object(body.len(), &content_type));
    };
    note(&fields, exchange);
    let verdict = match endpoint {
        Endpoint::ChatCompletions => chat::judge(&fields),
        Endpoint::Responses => responses::judge(&fields),
        Endpoint::Embeddings => embeddings::judge(&fields),
    };
    match verdict {
        Verdict::Whole(reason) => exchange.progress.finished_with(reason),
        Verdict::Filtered => return Err(filtered()),
        Verdict::Odd => return Err(odd(&text, exchange)),
    }
    drop(text);
    Ok(Answer::Body(body))
}

fn note(fields: &Fields<'_>, exchange: &Exchange) {
    if let Some(model) = json::text(fields.model) {
        exchange.progress.served_by(model);
    }
    if let Some(usage) = usage::read(fields.usage) {
        exchange.progress.used(usage);
    }
}

fn no_object(bytes: usize, content_type: &str) -> Failure {
    let words = format!("the answer is no JSON object: {bytes} bytes of {content_type}");
    failure(FailureKind::BadResponse, words)
}

fn odd(text: &str, exchange: &Exchange) -> Failure {
    match ProviderError::find(text) {
        Some(error) => error_body::inside(&error, exchange),
        None => {
            let words = format!("the answer lacks its fields: {} bytes of JSON", text.len());
            failure(FailureKind::BadResponse, words)
        }
    }
}

#[cfg(test)]
mod tests;
