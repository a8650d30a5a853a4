//! The reference store: plain maps behind a lock, nothing kept beyond the process.

mod prune;
mod state;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
        Applied, Change, Counts, EndedPage, Identity, Keyed, NewTask, OutcomeFilter, OutcomePage,
        Running, Submitted, TaskDetail, Totals, Trace,
    },
};
use state::State;

/// Keeps tasks in memory: for simulations, and to compare other stores with. It starts no
/// thread and never waits, so that a simulated run with the same seed is the same run.
#[derive(Debug)]
pub struct MemoryStore {
    identity: Identity,
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, state: Arc::default() }
    }

    /// The same tasks as a supervisor's successor finds them: opened again at `now`, in the
    /// next epoch. As with a file, whoever had it open before must be gone.
    #[must_use]
    pub fn reopen(&self, now: Timestamp) -> Self {
        let epoch = self.identity.epoch.next(now.unix_millis() / 1_000);
        let identity = Identity { epoch, former: self.identity.epoch, ..self.identity };
        self.state().hold_backoffs(now);
        Self { identity, state: Arc::clone(&self.state) }
    }

    /// Every write ends before the lock is left, or changed nothing: a poisoned one is sound.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn counts(&self) -> Counts {
        self.state().tally.counts
    }

    fn totals(&self) -> Totals {
        self.state().tally.totals
    }

    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, SubmitError> {
        self.state().submit(&tasks, self.identity.epoch, now)
    }

    async fn keyed(&self, keys: Vec<String>) -> Result<Vec<Keyed>, StoreError> {
        Ok(self.state().keyed(keys))
    }

    async fn apply(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let mut state = self.state();
        Ok(changes.into_iter().map(|change| state.apply(change, now)).collect())
    }

    async fn task(&self, id: TaskId, max_result: usize) -> Result<Option<TaskDetail>, StoreError> {
        Ok(self.state().task(id, max_result))
    }

    async fn specs(&self, ids: Vec<TaskId>) -> Result<Vec<(TaskId, TaskSpec)>, StoreError> {
        Ok(self.state().specs(&ids))
    }

    async fn trace(&self, id: TaskId, lease: Lease) -> Result<Option<Trace>, StoreError> {
        Ok(self.state().trace(id, lease))
    }

    async fn lanes(&self, after: Option<Lane>, limit: usize) -> Result<Vec<Lane>, StoreError> {
        Ok(self.state().lanes(after.as_ref(), limit))
    }

    async fn ready(
        &self,
        reads: Vec<LaneRead>,
        now: Timestamp,
    ) -> Result<Vec<LaneRows>, StoreError> {
        let state = self.state();
        Ok(reads.iter().map(|read| state.ready(read, now)).collect())
    }

    async fn list(
        &self,
        filter: TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, StoreError> {
        Ok(self.state().list(&filter, before, limit))
    }

    async fn oldest_queued(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state().oldest_queued())
    }

    async fn ended_by(
        &self,
        time: Timestamp,
        after: u64,
        limit: usize,
    ) -> Result<EndedPage, StoreError> {
        Ok(self.state().ended_by(time, after, limit))
    }

    async fn remove(&self, tasks: Vec<TaskId>, max_rows: usize) -> Result<usize, StoreError> {
        Ok(self.state().remove(&tasks, max_rows))
    }

    async fn backup(&self, _: PathBuf) -> Result<u64, BackupError> {
        Err(BackupError::NoFile)
    }

    async fn running(&self) -> Result<Vec<Running>, StoreError> {
        Ok(self.state().running())
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        Ok(self.state().overdue(now, limit))
    }

    async fn outcomes(
        &self,
        filter: OutcomeFilter,
        after: u64,
        limit: usize,
        max_result: usize,
    ) -> Result<OutcomePage, StoreError> {
        Ok(self.state().outcomes(&filter, after, limit, max_result))
    }

    fn last_outcome(&self) -> u64 {
        self.state().tally.last_outcome
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn broken(&self) -> StoreError {
        std::future::pending().await
    }
}
