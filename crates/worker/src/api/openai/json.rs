//! Reading answers of which any part may be odd: a field that is not what it should be counts
//! as left out, and loses nothing beside it.

use serde_json::value::RawValue;

/// The text in this field.
pub(super) fn text(field: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(field?.get()).ok()
}

/// The field, unless it says nothing.
pub(super) fn said(field: Option<&RawValue>) -> Option<&RawValue> {
    field.filter(|field| field.get() != "null")
}
