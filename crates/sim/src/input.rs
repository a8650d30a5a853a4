//! What the real API says to requests that are wrong, whichever endpoint they are for.

mod content;

use crate::errors::ApiError;

pub(crate) use content::Content;

/// The body is no JSON, or a field is of the wrong type.
pub(crate) fn unreadable(error: &serde_json::Error) -> ApiError {
    if error.is_data() {
        return ApiError::invalid(None, Some("invalid_type"), format!("Invalid type: {error}."));
    }
    let words = format!("We could not parse the JSON body of your request: {error}.");
    ApiError::invalid(None, None, words)
}

/// The field has to be there.
pub(crate) fn missing(param: &'static str) -> ApiError {
    let words = format!("Missing required parameter: '{param}'.");
    ApiError::invalid(Some(param), Some("missing_required_parameter"), words)
}

/// # Errors
/// The field is there and 0.
pub(crate) fn at_least_one(param: &'static str, value: Option<u32>) -> Result<(), ApiError> {
    if value != Some(0) {
        return Ok(());
    }
    let words = format!("Invalid '{param}': integer below minimum value. Expected a value >= 1.");
    Err(ApiError::invalid(Some(param), Some("integer_below_min_value"), words))
}

/// The model that was named.
///
/// # Errors
/// None was.
pub(crate) fn model(model: Option<&str>) -> Result<&str, ApiError> {
    model.filter(|model| !model.is_empty()).ok_or_else(|| missing("model"))
}

/// What so many bytes of text cost, at about four bytes a token.
pub(crate) fn tokens(bytes: usize) -> usize {
    bytes / 4 + 1
}
