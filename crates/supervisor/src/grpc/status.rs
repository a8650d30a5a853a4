//! Errors to gRPC statuses: one table.

use taskfleet_proto::FieldError;
use taskfleet_store::{Conflict, ConflictField, StoreError};
use tonic::{Code, Status};

/// A store that cannot be read or written now. UNAVAILABLE: ask again.
pub(crate) fn of_store(error: &StoreError) -> Status {
    match error {
        StoreError::Full => Status::unavailable("the disk that holds the store is full"),
        StoreError::Closed => Status::unavailable("the supervisor is stopping"),
        other => {
            tracing::error!(error = %other, "the store failed");
            Status::unavailable("the store cannot be read or written now")
        }
    }
}

/// Submitted tasks that clash with known ones.
pub(crate) fn of_conflicts(
    conflicts: &[Conflict],
    field: impl Fn(usize, &str) -> String,
) -> Status {
    let errors: Vec<FieldError> = conflicts
        .iter()
        .map(|conflict| match conflict.field {
            ConflictField::IdempotencyKey => FieldError::new(
                field(conflict.index, "idempotency_key"),
                "was used for another task: use a new key for a new task",
            ),
            ConflictField::ClientRef => FieldError::new(
                field(conflict.index, "client_ref"),
                "is taken by another task of this tenant and group",
            ),
        })
        .collect();
    FieldError::status_as(Code::AlreadyExists, &errors)
}

pub(crate) fn no_such_task() -> Status {
    Status::not_found("task_id: there is no such task; finished tasks are kept for a time only")
}
