//! The reference store: plain maps behind a lock, nothing kept beyond the process.

mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use taskfleet_core::{
    TaskId, Timestamp,
    machine::Refusal,
    task::{TaskRecord, TaskSpec},
};

use crate::{
    Store,
    error::{StoreError, SubmitError},
    types::{
        Applied, Change, Counts, Identity, NewTask, OutcomeFilter, OutcomePage, Running, Submitted,
        TaskDetail,
    },
};
use state::State;

/// Keeps tasks in memory: for simulations, and to compare other stores with. It starts no
/// thread and never waits, so that a simulated run with the same seed is the same run.
#[derive(Debug)]
pub struct MemoryStore {
    identity: Identity,
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, state: Mutex::default() }
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

    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, SubmitError> {
        self.state().submit(&tasks, self.identity.epoch, now)
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

    async fn ready(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskRecord>, StoreError> {
        Ok(self.state().ready(now, limit))
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

    async fn broken(&self) -> StoreError {
        std::future::pending().await
    }
}
