//! An answer that says no: which failure it is.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use taskfleet_core::{failure::FailureKind, outcome::Failure};

use super::{
    exchange::Exchange,
    json::{said, text},
    once,
    retry_after::retry_after,
    words,
};
use crate::api::failure;

/// What a provider says about an error. Compatible servers leave out what they like, send
/// numbers for codes, or a mere text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ProviderError {
    pub(super) code: String,
    pub(super) error_type: String,
    pub(super) message: String,
}

/// Where an error can stand: under `error`, or flat.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    error_type: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

impl ProviderError {
    /// The error in this JSON, if it is one: `{"error": …}`, or flat with `"object": "error"`.
    pub(super) fn find(json: &str) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_str(json).ok()?;
        if let Some(error) = said(fields.error) {
            return Self::under(error);
        }
        (text(fields.object).as_deref() == Some("error")).then(|| Self::of(&fields))
    }

    fn under(error: &RawValue) -> Option<Self> {
        if let Some(message) = text(Some(error)) {
            return Some(Self { message, ..Self::default() });
        }
        serde_json::from_str(error.get()).ok().map(|fields| Self::of(&fields))
    }

    fn of(fields: &Fields<'_>) -> Self {
        let read = |field: Option<&RawValue>| match said(field) {
            Some(number) if number.get().starts_with(|c: char| c.is_ascii_digit()) => {
                number.get().to_owned()
            }
            other => text(other).unwrap_or_default(),
        };
        let (code, error_type) = (read(fields.code), read(fields.error_type));
        Self { code, error_type, message: read(fields.message) }
    }

    /// A short name of the error, for words; a provider may put anything there.
    fn name(&self) -> Option<&str> {
        let is_name = |text: &&str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            (1..=64).contains(&text.len()) && text.chars().all(allowed)
        };
        [self.code.as_str(), self.error_type.as_str()].into_iter().find(is_name)
    }
}

/// The failure that an error status and its raw body mean.
pub(super) fn refusal(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    exchange: &Exchange,
) -> Failure {
    let error = ProviderError::find(&String::from_utf8_lossy(body));
    let known = error.as_ref();
    let code = known.map_or("", |error| &error.code);
    let error_type = known.map_or("", |error| &error.error_type);
    let kind = FailureKind::of_http_status(status, code, error_type);
    let said = match known {
        Some(error) => say(error, exchange.key()),
        None => format!("{} bytes of {}", body.len(), once::content_type(headers)),
    };
    Failure {
        kind,
        message: format!("the model API answered {status}: {said}"),
        retry_after: retry_after(headers, exchange.clock.unix_millis()),
        permanent: false,
    }
}

/// The failure that an error inside an answer with status 200 means.
pub(super) fn inside(error: &ProviderError, exchange: &Exchange) -> Failure {
    let kind = FailureKind::of_stream_error(&error.code, &error.error_type);
    let said = say(error, exchange.key());
    failure(kind, format!("the model API reported an error inside its answer: {said}"))
}

/// The provider's own message, bounded and without keys: whoever sent the request needs to know
/// what is wrong.
fn say(error: &ProviderError, key: Option<&str>) -> String {
    let message = words::clean(&error.message, key);
    if message.is_empty() { error.name().unwrap_or("no reason given").to_owned() } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, error_type: &str, message: &str) -> ProviderError {
        let [code, error_type, message] = [code, error_type, message].map(str::to_owned);
        ProviderError { code, error_type, message }
    }

    #[test]
    fn errors_come_in_many_shapes() {
        let find = ProviderError::find;
        let openai = r#"{"error": {"message": "m", "type": "t", "code": "c"}}"#;
        assert_eq!(find(openai), Some(error("c", "t", "m")));
        let vllm = r#"{"object": "error", "message": "m", "type": "t", "code": 400}"#;
        assert_eq!(find(vllm), Some(error("400", "t", "m")));
        let sparse = r#"{"error": {"message": "m", "code": null, "type": ["odd"]}}"#;
        assert_eq!(find(sparse), Some(error("", "", "m")));
        assert_eq!(find(r#"{"error": "m"}"#), Some(error("", "", "m")));
        for none in [r#"{"error": null, "choices": []}"#, r#"{"detail": "m"}"#, "[]", "<html>"] {
            assert_eq!(find(none), None, "{none}");
        }
    }

    #[test]
    fn only_names_pass_for_names() {
        assert_eq!(error("", "server_error", "").name(), Some("server_error"));
        assert_eq!(error("your prompt was: hello", "", "").name(), None);
    }
}
