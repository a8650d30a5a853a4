//! What can go wrong with a store.

use std::path::PathBuf;

/// Why a store could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another supervisor has it open.
    #[error("{} is in use by another supervisor", .0.display())]
    Locked(PathBuf),
    /// The file is something else.
    #[error("{} is not a taskfleet store", .0.display())]
    NotAStore(PathBuf),
    /// A later version of taskfleet wrote it.
    #[error("{} was written by a newer version: its format is {found}, this one knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format known here.
        known: u32,
    },
    /// The disk is full; nothing was written. It may pass.
    #[error("the disk that holds the store is full")]
    Full,
    /// The store cannot be read or written. Without prompts or results.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

/// Why tasks were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Some tasks clash with known ones; none was accepted.
    #[error("{} of the tasks clash with known ones", .0.len())]
    Conflicts(Vec<Conflict>),
    /// The store failed; none was accepted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A task that clashes with a known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Its place in the submission.
    pub index: usize,
    /// What clashes.
    pub field: ConflictField,
}

/// What of a task clashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictField {
    /// The key belongs to another task.
    IdempotencyKey,
    /// Another task of this tenant and group has it.
    ClientRef,
}
