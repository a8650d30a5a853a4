//! JSON put together from text, for answers that must not cost more than the call itself.

/// The text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}
