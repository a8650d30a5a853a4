//! An answer of the Responses API.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Fields, Verdict};
use crate::api::openai::json;

#[derive(Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
}

/// Its `status` decides. The reasons to stop get the names that the other endpoint has for
/// them, so that whoever looks for a cut answer looks for one word.
pub(super) fn judge(fields: &Fields<'_>) -> Verdict {
    match json::text(fields.status).as_deref() {
        Some("completed") => Verdict::Whole("stop".into()),
        Some("incomplete") => incomplete(fields),
        // What went wrong stands under `error`.
        Some("failed" | "cancelled") | None => Verdict::Odd,
        // A request with `background` is answered before it has run: that is what it asked for.
        Some(other) => Verdict::Whole(other.to_owned()),
    }
}

fn incomplete(fields: &Fields<'_>) -> Verdict {
    let details = json::said(fields.incomplete_details);
    let details = details.and_then(|json| serde_json::from_str::<Incomplete<'_>>(json.get()).ok());
    match details.and_then(|details| json::text(details.reason)).as_deref() {
        Some("max_output_tokens") => Verdict::Whole("length".into()),
        Some("content_filter") => Verdict::Filtered,
        other => Verdict::Whole(other.unwrap_or("incomplete").to_owned()),
    }
}
