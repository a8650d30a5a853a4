//! A store that fails or hangs when a test says so.

use std::{path::PathBuf, sync::Arc};

use taskfleet_core::{
    Lease, TaskId, Timestamp,
    machine::Refusal,
    queue::{Lane, LaneRead, LaneRows},
    task::TaskSpec,
};
use taskfleet_store::{
    Applied, BackupError, Change, Counts, EndedPage, Identity, Keyed, NewTask, OutcomeFilter,
    OutcomePage, Running, Store, StoreError, SubmitError, Submitted, TaskDetail, TaskFilter,
    TaskPage, Totals, Trace,
};
use tokio::sync::watch;
use tonic::async_trait;

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Its disk is full.
    Full,
    /// Writes hang, as on a network disk that is gone.
    WritesHang,
    /// Looking for what is ready hangs.
    QueueHangs,
}

/// A store behind a gate.
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    fault: watch::Sender<Fault>,
}

impl Gate {
    pub(crate) fn before(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, fault: watch::Sender::new(Fault::None) })
    }

    /// From now on this is wrong.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    async fn write(&self) -> Result<(), StoreError> {
        self.pass(Fault::WritesHang).await;
        let full = *self.fault.borrow() == Fault::Full;
        if full { Err(StoreError::Full) } else { Ok(()) }
    }

    async fn pass(&self, closed: Fault) {
        let mut fault = self.fault.subscribe();
        fault.wait_for(|fault| *fault != closed).await.unwrap();
    }
}

#[async_trait]
impl Store for Gate {
    fn identity(&self) -> Identity {
        self.store.identity()
    }

    fn counts(&self) -> Counts {
        self.store.counts()
    }

    fn totals(&self) -> Totals {
        self.store.totals()
    }

    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, SubmitError> {
        self.write().await?;
        self.store.submit(tasks, now).await
    }

    async fn keyed(&self, keys: Vec<String>) -> Result<Vec<Keyed>, StoreError> {
        self.store.keyed(keys).await
    }

    async fn apply(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        self.write().await?;
        self.store.apply(changes, now).await
    }

    async fn task(&self, id: TaskId, max_result: usize) -> Result<Option<TaskDetail>, StoreError> {
        self.store.task(id, max_result).await
    }

    async fn specs(&self, ids: Vec<TaskId>) -> Result<Vec<(TaskId, TaskSpec)>, StoreError> {
        self.store.specs(ids).await
    }

    async fn trace(&self, id: TaskId, lease: Lease) -> Result<Option<Trace>, StoreError> {
        self.store.trace(id, lease).await
    }

    async fn lanes(&self, after: Option<Lane>, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.pass(Fault::QueueHangs).await;
        self.store.lanes(after, limit).await
    }

    async fn ready(
        &self,
        reads: Vec<LaneRead>,
        now: Timestamp,
    ) -> Result<Vec<LaneRows>, StoreError> {
        self.pass(Fault::QueueHangs).await;
        self.store.ready(reads, now).await
    }

    async fn list(
        &self,
        filter: TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<TaskPage, StoreError> {
        self.store.list(filter, before, limit).await
    }

    async fn oldest_queued(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.oldest_queued().await
    }

    async fn running(&self) -> Result<Vec<Running>, StoreError> {
        self.store.running().await
    }

    async fn overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<TaskId>, StoreError> {
        self.store.overdue(now, limit).await
    }

    async fn ended_by(
        &self,
        time: Timestamp,
        after: u64,
        limit: usize,
    ) -> Result<EndedPage, StoreError> {
        self.store.ended_by(time, after, limit).await
    }

    async fn remove(&self, tasks: Vec<TaskId>, max_rows: usize) -> Result<usize, StoreError> {
        self.write().await?;
        self.store.remove(tasks, max_rows).await
    }

    async fn backup(&self, path: PathBuf) -> Result<u64, BackupError> {
        self.store.backup(path).await
    }

    async fn outcomes(
        &self,
        filter: OutcomeFilter,
        after: u64,
        limit: usize,
        max_result: usize,
    ) -> Result<OutcomePage, StoreError> {
        self.store.outcomes(filter, after, limit, max_result).await
    }

    fn last_outcome(&self) -> u64 {
        self.store.last_outcome()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.write().await?;
        self.store.check().await
    }

    async fn broken(&self) -> StoreError {
        self.store.broken().await
    }
}
