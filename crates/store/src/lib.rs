//! Where tasks are kept. The store is the truth: what it answered is on disk, and what is
//! on disk is what a restarted supervisor goes on from.
//!
//! [`Store`] is the trait; [`SqliteStore`] keeps a file, [`MemoryStore`] is the reference
//! that it is tested against. Both decide every change with
//! [`taskfleet_core::machine::apply`], inside the transaction that writes it.

mod decide;
mod error;
mod intake;
mod memory;
mod page;
mod sqlite;
mod tally;
mod types;
mod words;

use async_trait::async_trait;
use taskfleet_core::{TaskId, Timestamp, machine::Refusal, task::TaskSpec};

pub use error::{Conflict, ConflictField, StoreError, SubmitError};
pub use memory::MemoryStore;
pub use sqlite::{SqliteOptions, SqliteStore};
pub use types::{
    Applied, Attempt, Change, Counts, Identity, NewTask, OutcomeFilter, OutcomePage, Running,
    StoredResult, Submitted, TaskDetail, TaskMeta,
};

/// Keeps tasks. Every write that is answered with `Ok` is durable.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Which store this is, and in which epoch it was opened.
    fn identity(&self) -> Identity;

    /// How many tasks there are, by state; kept, not counted.
    fn counts(&self) -> Counts;

    /// Accepts tasks in one transaction, all or none, in the order given. A task whose
    /// idempotency key is known with the same digest is answered with the first task and
    /// changes nothing; so is the second of two equal ones within the call. A task with a
    /// `claim` is claimed at once.
    ///
    /// # Errors
    /// [`SubmitError::Conflicts`] names every task whose idempotency key belongs to another
    /// task or whose client_ref is taken; [`SubmitError::Store`] when nothing was written.
    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, SubmitError>;

    /// Applies events, in the order given, in one transaction with whatever else waits to
    /// be written. A refusal of one changes nothing and does not touch the others.
    ///
    /// # Errors
    /// When nothing was written.
    async fn apply(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError>;

    /// One task with its history; of its result at most `max_result` bytes.
    ///
    /// # Errors
    /// When it could not be read.
    async fn task(&self, id: TaskId, max_result: usize) -> Result<Option<TaskDetail>, StoreError>;

    /// What was asked for, for those of the tasks that exist, in any order.
    ///
    /// # Errors
    /// When it could not be read.
    async fn specs(&self, ids: Vec<TaskId>) -> Result<Vec<(TaskId, TaskSpec)>, StoreError>;

    /// Queued tasks whose backoff is over at `now`, in the order in which they are to run
    /// (priority, then age); at most `limit`.
    ///
    /// # Errors
    /// When they could not be read.
    async fn ready(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<taskfleet_core::task::TaskRecord>, StoreError>;

    /// Every running task, with who has it.
    ///
    /// # Errors
    /// When they could not be read.
    async fn running(&self) -> Result<Vec<Running>, StoreError>;

    /// Tasks that have not ended though their deadline has passed; at most `limit`.
    ///
    /// # Errors
    /// When they could not be read.
    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError>;

    /// Ended tasks in the order in which they ended, after outcome number `after`, at most
    /// `limit`, with at most `max_result` bytes of each result.
    ///
    /// # Errors
    /// When they could not be read.
    async fn outcomes(
        &self,
        filter: OutcomeFilter,
        after: u64,
        limit: usize,
        max_result: usize,
    ) -> Result<OutcomePage, StoreError>;

    /// The number of the latest outcome; 0: none yet.
    fn last_outcome(&self) -> u64;

    /// Ends when the store can no longer keep its promises (a sync failed) and the process
    /// must end, to go on from the file.
    async fn broken(&self) -> StoreError;
}
