//! A whole chat completion.

use serde::Deserialize;

use super::{Fields, Verdict};

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
}

/// Each choice has to say why it stopped.
pub(super) fn judge(fields: &Fields<'_>) -> Verdict {
    let choices = fields.choices.and_then(|json| serde_json::from_str(json.get()).ok());
    let choices: Vec<Choice> = choices.unwrap_or_default();
    let reasons: Option<Vec<String>> =
        choices.into_iter().map(|choice| choice.finish_reason).collect();
    let reasons = reasons.unwrap_or_default();
    // With some choices good, the client decides what to make of the others.
    match reasons.first() {
        None => Verdict::Odd,
        Some(_) if reasons.iter().all(|reason| reason == "content_filter") => Verdict::Filtered,
        Some(first) => Verdict::Whole(first.clone()),
    }
}
