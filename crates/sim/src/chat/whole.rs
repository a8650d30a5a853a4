//! Answers that are not streamed.

use super::plan::Plan;

/// The body of a complete answer.
pub(super) fn body(plan: &Plan, reason: &'static str) -> String {
    let text = plan.answer.text(plan.deltas);
    plan.frame.whole(&text, plan.deltas, Some(plan.finish_reason(reason)))
}

/// The body of an answer that stops after `deltas` deltas and does not say why.
pub(super) fn unfinished(plan: &Plan, deltas: u32) -> String {
    plan.frame.whole(&plan.answer.text(deltas), deltas, None)
}
