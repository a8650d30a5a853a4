//! The answer with embeddings.

use serde::de::IgnoredAny;

use super::{Fields, Verdict};

/// There has to be at least one; there is no reason to stop.
pub(super) fn judge(fields: &Fields<'_>) -> Verdict {
    let data = fields.data.and_then(|json| serde_json::from_str(json.get()).ok());
    let data: Vec<IgnoredAny> = data.unwrap_or_default();
    if data.is_empty() { Verdict::Odd } else { Verdict::Whole(String::new()) }
}
