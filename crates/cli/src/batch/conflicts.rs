//! What a supervisor says of the tasks of a batch.

use std::collections::BTreeMap;

use tonic::Status;
use tonic_types::StatusExt;

/// What is wrong with which task, by its place in the batch.
pub(super) type ByTask = BTreeMap<usize, String>;

/// The violations of `tasks[3].content`; none when the status names no task.
pub(super) fn by_task(status: &Status) -> ByTask {
    let details = status.get_details_bad_request();
    let violations = details.map(|details| details.field_violations).unwrap_or_default();
    let mut tasks = ByTask::new();
    for violation in violations {
        let Some((index, field)) = place(&violation.field) else { continue };
        let words = match field {
            "client_ref" => "id is that of another task in this group: its prompt or the \
                 options have changed since. Give it a new id, or start anew with --group"
                .to_owned(),
            _ => format!("{field} {}", violation.description),
        };
        let told = tasks.entry(index).or_default();
        if !told.is_empty() {
            told.push_str("; ");
        }
        told.push_str(&words);
    }
    tasks
}

/// The index and the field of `tasks[3].content`.
fn place(path: &str) -> Option<(usize, &str)> {
    let (index, field) = path.strip_prefix("tasks[")?.split_once("].")?;
    Some((index.parse().ok()?, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskfleet_proto::FieldError;

    #[test]
    fn violations_are_found_by_their_task() {
        let status = FieldError::status(&[
            FieldError::new("tasks[3].content", "is empty"),
            FieldError::new("tasks[3].priority", "is 101"),
            FieldError::new("tasks[12].client_ref", "is taken"),
            FieldError::new("tasks", "is too large"),
        ]);
        let tasks = by_task(&status);
        assert_eq!(tasks[&3], "content is empty; priority is 101");
        assert!(tasks[&12].starts_with("id is that of another task"), "{}", tasks[&12]);
        assert_eq!(tasks.len(), 2);
    }
}
