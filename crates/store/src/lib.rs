//! Where tasks are kept. The store is the truth: what it answered is on disk, and what is
//! on disk is what a restarted supervisor goes on from.
//!
//! [`Store`] is the trait; [`SqliteStore`] keeps a file, [`MemoryStore`] is the reference
//! that it is tested against. Both decide every change with
//! [`taskfleet_core::machine::apply`], inside the transaction that writes it.

mod decide;
mod error;
mod intake;
mod list;
mod memory;
mod page;
mod sqlite;
mod tally;
mod types;
mod words;

use std::path::PathBuf;

use async_trait::async_trait;
use taskfleet_core::{
    Lease, TaskId, Timestamp,
    machine::Refusal,
    queue::{Lane, LaneRead, LaneRows},
    task::TaskSpec,
};

pub use error::{BackupError, Conflict, ConflictField, StoreError, SubmitError};
pub use list::{TaskFilter, TaskPage};
pub use memory::MemoryStore;
pub use sqlite::{SqliteOptions, SqliteStore};
pub use types::{
    Applied, Attempt, Change, Commit, CommitWatcher, Counts, EndedPage, Identity, Keyed, NewTask,
    OutcomeFilter, OutcomePage, Running, StoredResult, Submitted, TaskDetail, TaskMeta, Totals,
    Trace,
};

/// Keeps tasks. Every write that is answered with `Ok` is durable.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Which store this is, and in which epoch it was opened.
    fn identity(&self) -> Identity;

    /// How many tasks there are, by state; kept, not counted.
    fn counts(&self) -> Counts;

    /// What has happened to all tasks since the store was made; kept, not counted.
    fn totals(&self) -> Totals;

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

    /// The tasks that these idempotency keys belong to, for those that are known, in any order.
    ///
    /// # Errors
    /// When they could not be read.
    async fn keyed(&self, keys: Vec<String>) -> Result<Vec<Keyed>, StoreError>;

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

    /// What the spans of a task and of this lease of it are made of; reads neither the work nor
    /// the result. `None`: there is no such task.
    ///
    /// # Errors
    /// When it could not be read.
    async fn trace(&self, id: TaskId, lease: Lease) -> Result<Option<Trace>, StoreError>;

    /// The lanes that queued tasks stand in, in their order, those after `after`; at most
    /// `limit`. What it costs grows with the lanes that are answered, not with their tasks.
    ///
    /// # Errors
    /// When they could not be read.
    async fn lanes(&self, after: Option<Lane>, limit: usize) -> Result<Vec<Lane>, StoreError>;

    /// Queued tasks of these lanes that may run at `now`, an answer for each, from one
    /// snapshot. What it costs grows with the tasks that are answered, however many lie before
    /// or behind them.
    ///
    /// # Errors
    /// When they could not be read.
    async fn ready(
        &self,
        reads: Vec<LaneRead>,
        now: Timestamp,
    ) -> Result<Vec<LaneRows>, StoreError>;

    /// Tasks that match, newest first, older than `before`; at most `limit`, above 0.
    ///
    /// # Errors
    /// When they could not be read.
    async fn list(
        &self,
        filter: TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, StoreError>;

    /// When the oldest task that waits was submitted; `None`: none waits.
    ///
    /// # Errors
    /// When it could not be read.
    async fn oldest_queued(&self) -> Result<Option<Timestamp>, StoreError>;

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

    /// Looks at the next `limit` outcomes after number `after`: which of their tasks ended at
    /// `time` or before. Outcomes are in the order of time but where a clock jumped.
    ///
    /// # Errors
    /// When they could not be read.
    async fn ended_by(
        &self,
        time: Timestamp,
        after: u64,
        limit: usize,
    ) -> Result<EndedPage, StoreError>;

    /// Takes ended tasks out, with all that belongs to them, in one transaction that deletes
    /// at most `max_rows` rows (above 100): says how many tasks are gone. Those that did not
    /// fit in stay, perhaps without the beginning of their history.
    ///
    /// # Errors
    /// When nothing was written.
    async fn remove(&self, tasks: Vec<TaskId>, max_rows: usize) -> Result<usize, StoreError>;

    /// Writes a consistent copy of the store to a file that does not exist yet, while the
    /// store goes on; answers with the copy's bytes when it is on disk. Whoever stops waiting
    /// stops the copying. A copy that did not succeed leaves no file.
    ///
    /// # Errors
    /// See [`BackupError`].
    async fn backup(&self, path: PathBuf) -> Result<u64, BackupError>;

    /// Ended tasks in the order in which they ended, after outcome number `after`, at most
    /// `limit`, with at most `max_result` bytes of each result. A page also ends with the result
    /// by which it has 1 MiB of them.
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

    /// Whether the writer gets on: waits for its turn like any other write. After one that
    /// failed it writes and syncs something, so that `Ok` means that writing works again. Files
    /// that are not there any more break the store.
    ///
    /// # Errors
    /// Why nothing can be written now.
    async fn check(&self) -> Result<(), StoreError>;

    /// Tells `watcher` of each transaction from now on, on the thread that made it; the first
    /// watcher stays. A store without transactions tells nothing.
    fn watch_commits(&self, watcher: CommitWatcher) {
        drop(watcher);
    }

    /// Ends when the store can no longer keep its promises (a sync failed) and the process
    /// must end, to go on from the file.
    async fn broken(&self) -> StoreError;
}
