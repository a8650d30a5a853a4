//! What can go wrong with a store.

use std::path::PathBuf;

/// Why a store could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another supervisor has it open.
    #[error("{} is in use by another supervisor: stop that one or name another file", .0.display())]
    Locked(PathBuf),
    /// The file is something else.
    #[error("{} is not a taskfleet store: name another file, or one that does not exist yet", .0.display())]
    NotAStore(PathBuf),
    /// Its pages contradict each other, or cannot be what was written.
    #[error("{} is damaged: go on with a backup of it, or name another file", .0.display())]
    Damaged(PathBuf),
    /// The file, its lock or its directory cannot be opened or made.
    #[error("{} cannot be opened: {reason}: see to its directory or name another file", path.display())]
    Unusable {
        /// The store's file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An earlier version of taskfleet wrote it.
    #[error("{} was written by an older version: its format is {found}, this one knows {known}: name another file", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The only format known here.
        known: u32,
    },
    /// A later version of taskfleet wrote it.
    #[error("{} was written by a newer version: its format is {found}, this one knows {known}: run the newer version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format known here.
        known: u32,
    },
    /// A file of the store was moved, removed or replaced while it was served.
    #[error("{} was moved, removed or replaced while it was served: put it back", .0.display())]
    Gone(PathBuf),
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

/// Why a copy of the store was not written; most of them go on from the name of its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// There is a file of this name; it was left as it is.
    #[error("names a file that exists already: name one that does not")]
    Exists,
    /// The directory that it is to lie in is not there.
    #[error("lies in a directory that does not exist on the supervisor's machine")]
    NoDirectory,
    /// The supervisor may not write there.
    #[error("lies where the supervisor may not write")]
    Denied,
    /// The disk is full.
    #[error("lies on a disk that is full")]
    Full,
    /// Another copy is being written.
    #[error("another copy is being written")]
    Busy,
    /// This store lies in no file.
    #[error("cannot be written: this store is kept in memory only")]
    NoFile,
    /// The copy cannot be written. Without prompts or results.
    #[error("cannot be written: {0}")]
    Failed(String),
    /// The store failed.
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
