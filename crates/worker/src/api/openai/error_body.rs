//! An answer that says no: which failure it is.

use http::HeaderMap;
use serde_json::Value;
use taskfleet_core::{failure::FailureKind, outcome::Failure};

use super::{exchange::Exchange, once, retry_after::retry_after, words};

/// What a provider says about an error. Compatible servers leave out what they like, send
/// numbers for codes, or a mere text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ProviderError {
    pub(super) code: String,
    pub(super) error_type: String,
    pub(super) message: String,
}

impl ProviderError {
    /// The error in this JSON, if it is one: `{"error": …}`, or flat with `"object": "error"`.
    pub(super) fn find(json: &Value) -> Option<Self> {
        match json.get("error") {
            Some(Value::Object(_)) => json.get("error").map(Self::of),
            Some(Value::String(message)) => {
                Some(Self { message: message.clone(), ..Self::default() })
            }
            _ if json.get("object").and_then(Value::as_str) == Some("error") => {
                Some(Self::of(json))
            }
            _ => None,
        }
    }

    fn of(error: &Value) -> Self {
        let text = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Self { code: text("code"), error_type: text("type"), message: text("message") }
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
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let error = json.as_ref().and_then(ProviderError::find);
    let known = error.as_ref();
    let code = known.map_or("", |error| &error.code);
    let error_type = known.map_or("", |error| &error.error_type);
    let kind = FailureKind::of_http_status(status, code, error_type);
    let said = match known {
        Some(error) if (400..500).contains(&status) => say(error, exchange.key()),
        Some(error) => error.name().unwrap_or("no reason given").to_owned(),
        None => format!("{} bytes of {}", body.len(), once::content_type(headers)),
    };
    Failure {
        kind,
        message: format!("the model API answered {status}: {said}"),
        retry_after: retry_after(headers, exchange.clock.unix_millis()),
    }
}

/// The failure that an error inside an answer with status 200 means.
pub(super) fn inside(error: &ProviderError, exchange: &Exchange) -> Failure {
    let kind = FailureKind::of_stream_error(&error.code, &error.error_type);
    let said = match kind {
        FailureKind::ApiError | FailureKind::Overloaded => {
            error.name().unwrap_or("no reason given").to_owned()
        }
        _ => say(error, exchange.key()),
    };
    let message = format!("the model API reported an error inside its answer: {said}");
    Failure { kind, message, retry_after: None }
}

/// The provider's own message, where the request or the account is to blame and whoever sent
/// it needs to know what is wrong.
fn say(error: &ProviderError, key: Option<&str>) -> String {
    let message = words::clean(&error.message, key);
    if message.is_empty() { error.name().unwrap_or("no reason given").to_owned() } else { message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(code: &str, error_type: &str, message: &str) -> ProviderError {
        let [code, error_type, message] = [code, error_type, message].map(str::to_owned);
        ProviderError { code, error_type, message }
    }

    #[test]
    fn errors_come_in_many_shapes() {
        let openai = json!({"error": {"message": "m", "type": "t", "code": "c"}});
        assert_eq!(ProviderError::find(&openai), Some(error("c", "t", "m")));
        let vllm = json!({"object": "error", "message": "m", "type": "t", "code": 400});
        assert_eq!(ProviderError::find(&vllm), Some(error("400", "t", "m")));
        let sparse = json!({"error": {"message": "m", "code": null}});
        assert_eq!(ProviderError::find(&sparse), Some(error("", "", "m")));
        assert_eq!(ProviderError::find(&json!({"error": "m"})), Some(error("", "", "m")));
        assert_eq!(ProviderError::find(&json!({"error": null, "choices": []})), None);
        assert_eq!(ProviderError::find(&json!({"detail": "m"})), None);
    }

    #[test]
    fn only_names_pass_for_names() {
        assert_eq!(error("", "server_error", "").name(), Some("server_error"));
        assert_eq!(error("your prompt was: hello", "", "").name(), None);
    }
}
