//! Who may call: without a key of its own the simulator takes every call.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};

use crate::errors::ApiError;

/// # Errors
/// What OpenAI answers to a missing or wrong key.
pub(crate) fn check(wanted: Option<&str>, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(wanted) = wanted else {
        return Ok(());
    };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(given) if given == wanted => Ok(()),
        Some(given) => Err(wrong(given)),
        None => Err(refusal(
            None,
            "You didn't provide an API key. You need to provide your API key in an Authorization \
             header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
                .to_owned(),
        )),
    }
}

fn wrong(given: &str) -> ApiError {
    let words = format!("Incorrect API key provided: {}.", masked(given));
    refusal(Some("invalid_api_key"), words)
}

fn refusal(code: Option<&'static str>, message: String) -> ApiError {
    ApiError {
        status: StatusCode::UNAUTHORIZED,
        kind: "invalid_request_error",
        code,
        param: None,
        message: message.into(),
    }
}

/// The real API shows the ends of long keys.
fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    let shown = if chars.len() > 12 { 4 } else { 0 };
    let part = |chars: &[char]| chars.iter().collect::<String>();
    let stars = "*".repeat(chars.len() - 2 * shown);
    part(&chars[..shown]) + &stars + &part(&chars[chars.len() - shown..])
}
