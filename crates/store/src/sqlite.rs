//! The store in a file: SQLite with a write-ahead log, one writer, a few readers.

mod backup;
mod codes;
mod fault;
mod list;
mod open;
mod queue;
mod read;
mod readers;
mod rows;
mod write;
mod writer;

use std::{
    path::PathBuf,
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use taskfleet_core::{
    Lease, TaskId, Timestamp,
    machine::Refusal,
    queue::{Lane, LaneRead, LaneRows},
    task::TaskSpec,
};

use crate::{
    Store,
    error::{BackupError, StoreError, SubmitError},
    list::{TaskFilter, TaskPage},
    types::{
        Applied, Change, CommitWatcher, Counts, EndedPage, Identity, Keyed, NewTask, OutcomeFilter,
        OutcomePage, Running, Submitted, TaskDetail, Totals, Trace,
    },
};
use backup::Backups;
use readers::Readers;
use writer::{Weight, Writer};

pub use open::SqliteOptions;

/// Keeps tasks in a file.
#[derive(Debug)]
pub struct SqliteStore {
    identity: Identity,
    // Dropped in this order: the writer's connection is closed last and tidies the file up,
    // then the next supervisor may come.
    backups: Backups,
    readers: Readers,
    writer: Writer,
    files: open::Files,
    _lock: open::Lock,
}

impl SqliteStore {
    /// Opens the store in a file, or makes it. What it says is on disk when this returns.
    /// It blocks, for a few syncs.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::NotAStore`], [`StoreError::Newer`]; or when it
    /// cannot be read or written.
    pub fn open(options: SqliteOptions) -> Result<Self, StoreError> {
        let open::Opened { identity, tally, connection, opener, files, lock } =
            open::open(options)?;
        let writer = Writer::start(connection, identity.epoch, tally)?;
        let readers = Readers::start(&opener)?;
        let backups = Backups::new(opener);
        Ok(Self { identity, backups, readers, writer, files, _lock: lock })
    }

    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.check()?;
        self.readers.read(read).await
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name).spawn(run);
    spawned.map_err(|error| StoreError::Failed(format!("cannot start a thread: {error}")))
}

#[async_trait]
impl Store for SqliteStore {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn counts(&self) -> Counts {
        self.writer.tally().counts
    }

    fn totals(&self) -> Totals {
        self.writer.tally().totals
    }

    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, SubmitError> {
        let weight = Weight::of_tasks(&tasks);
        let submitted = self.writer.write(weight, move |unit| unit.submit(&tasks, now)).await?;
        submitted.map_err(SubmitError::Conflicts)
    }

    async fn keyed(&self, keys: Vec<String>) -> Result<Vec<Keyed>, StoreError> {
        self.read(move |from| read::keyed(from, &keys)).await
    }

    async fn apply(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let weight = Weight::of_changes(&changes);
        self.writer.write(weight, move |unit| unit.apply(changes, now)).await
    }

    async fn task(&self, id: TaskId, max_result: usize) -> Result<Option<TaskDetail>, StoreError> {
        self.read(move |from| read::task(from, id, max_result)).await
    }

    async fn specs(&self, ids: Vec<TaskId>) -> Result<Vec<(TaskId, TaskSpec)>, StoreError> {
        self.read(move |from| read::specs(from, &ids)).await
    }

    async fn trace(&self, id: TaskId, lease: Lease) -> Result<Option<Trace>, StoreError> {
        self.read(move |from| read::trace(from, id, lease)).await
    }

    async fn lanes(&self, after: Option<Lane>, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.read(move |from| queue::lanes(from, after, limit)).await
    }

    async fn ready(
        &self,
        reads: Vec<LaneRead>,
        now: Timestamp,
    ) -> Result<Vec<LaneRows>, StoreError> {
        self.read(move |from| reads.iter().map(|read| queue::ready(from, read, now)).collect())
            .await
    }

    async fn list(
        &self,
        filter: TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, StoreError> {
        let counts = self.counts();
        self.read(move |from| list::list(from, &filter, before, limit, &counts)).await
    }

    async fn oldest_queued(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(read::oldest_queued).await
    }

    async fn ended_by(
        &self,
        time: Timestamp,
        after: u64,
        limit: usize,
    ) -> Result<EndedPage, StoreError> {
        self.read(move |from| read::ended_by(from, time, after, limit)).await
    }

    async fn remove(&self, tasks: Vec<TaskId>, max_rows: usize) -> Result<usize, StoreError> {
        let weight = Weight::of_removals(&tasks);
        self.writer.write(weight, move |unit| unit.remove(&tasks, max_rows)).await
    }

    async fn backup(&self, path: PathBuf) -> Result<u64, BackupError> {
        self.writer.check()?;
        self.backups.write(path).await
    }

    async fn running(&self) -> Result<Vec<Running>, StoreError> {
        self.read(read::all_running).await
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.read(move |from| read::overdue(from, now, limit)).await
    }

    async fn outcomes(
        &self,
        filter: OutcomeFilter,
        after: u64,
        limit: usize,
        max_result: usize,
    ) -> Result<OutcomePage, StoreError> {
        self.read(move |from| read::outcomes(from, &filter, after, limit, max_result)).await
    }

    fn last_outcome(&self) -> u64 {
        self.writer.tally().last_outcome
    }

    async fn check(&self) -> Result<(), StoreError> {
        let files = self.files.clone();
        let looked = self.writer.write(Weight::of_changes(&[]), move |_| Ok(files.lost()));
        match looked.await? {
            None => Ok(()),
            Some(lost) => Err(self.writer.give_up(StoreError::Gone(lost))),
        }
    }

    fn watch_commits(&self, watcher: CommitWatcher) {
        self.writer.watch(watcher);
    }

    async fn broken(&self) -> StoreError {
        self.writer.broken().await
    }
}
