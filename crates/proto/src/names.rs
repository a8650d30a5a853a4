//! The names that clients give to tasks and find them by: how long they may be.

use std::collections::HashMap;

use crate::{FieldError, work::non_empty};

/// The longest idempotency key, in bytes.
pub(crate) const MAX_KEY: usize = 256;
/// The longest tenant and group, in bytes.
pub(crate) const MAX_NAME: usize = 128;
const MAX_LABELS: usize = 32;
const MAX_LABEL_KEY: usize = 64;
const MAX_LABEL_VALUE: usize = 256;

/// A client's idempotency key; `None` when it is empty.
///
/// # Errors
/// When it is too long.
pub fn read_idempotency_key(key: String) -> Result<Option<String>, FieldError> {
    too_long("idempotency_key", &key, MAX_KEY).map_or_else(|| Ok(non_empty(key)), Err)
}

/// What is wrong with the names by which a client looks for tasks. Names that no task can
/// have are a mistake, not an empty answer.
#[must_use]
pub fn check_names(tenant: &str, group: &str, labels: &HashMap<String, String>) -> Vec<FieldError> {
    let names = [too_long("tenant", tenant, MAX_NAME), too_long("group", group, MAX_NAME)];
    names.into_iter().chain([wrong_labels(labels)]).flatten().collect()
}

pub(crate) fn too_long(field: &str, text: &str, max: usize) -> Option<FieldError> {
    let problem = || FieldError::new(field, format!("is longer than {max} bytes"));
    (text.len() > max).then(problem)
}

pub(crate) fn wrong_labels(labels: &HashMap<String, String>) -> Option<FieldError> {
    if labels.len() > MAX_LABELS {
        return Some(FieldError::new("labels", format!("has more than {MAX_LABELS} entries")));
    }
    let wrong = |(key, value): (&String, &String)| {
        key.is_empty() || key.len() > MAX_LABEL_KEY || value.len() > MAX_LABEL_VALUE
    };
    let problem = format!(
        "needs keys of 1 to {MAX_LABEL_KEY} bytes and values of at most {MAX_LABEL_VALUE} bytes"
    );
    labels.iter().any(wrong).then(|| FieldError::new("labels", problem))
}
