//! The store: it outlives the supervisor, and writing takes time, so that a crash finds it
//! before, within and after a commit.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use taskfleet_core::{
    Epoch, Lease, StoreId, TaskId, Timestamp,
    machine::Refusal,
    queue::{Lane, LaneRead, LaneRows},
    task::{TaskSpec, TaskState},
};
use taskfleet_store::{
    Applied, BackupError, Change, Counts, EndedPage, Identity, Keyed, MemoryStore, NewTask,
    OutcomeFilter, OutcomePage, Running, Store, StoreError, SubmitError, Submitted, TaskDetail,
    TaskFilter, TaskPage, Totals, Trace,
};

use crate::{chance::Chance, journal::Journal};

/// The machine's disk. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Disk {
    store: Arc<Mutex<Arc<MemoryStore>>>,
    watch: Arc<Mutex<Watch>>,
}

/// Sees every change.
struct Watch {
    ended: BTreeMap<TaskId, TaskState>,
    chance: Chance,
    journal: Journal,
}

/// Taken by a read or either half of a write, in milliseconds.
const LONGEST_MS: u64 = 8;

impl Disk {
    pub(crate) fn new(seed: u64, journal: Journal) -> Self {
        let store = StoreId::from_random([7; 16]);
        let identity = Identity { store, epoch: Epoch::default(), former: Epoch::default() };
        let store = Arc::new(MemoryStore::new(identity));
        let watch = Watch { ended: BTreeMap::new(), chance: Chance::of(seed, "disk"), journal };
        Self { store: Arc::new(Mutex::new(store)), watch: Arc::new(Mutex::new(watch)) }
    }

    /// As a supervisor opens it that starts.
    pub(crate) fn open(&self, now: Timestamp) -> DiskStore {
        let mut last = lock(&self.store);
        *last = Arc::new(last.reopen(now));
        DiskStore { store: last.clone(), watch: self.watch.clone() }
    }

    /// How many tasks there are.
    pub(crate) fn counts(&self) -> Counts {
        lock(&self.store).counts()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    fn accepted(&mut self, submitted: &[Submitted]) {
        for task in submitted {
            let (id, state, known) = (task.id(), task.state(), task.is_existing());
            self.journal.note(format!("store: {id} accepted as {state:?}, known: {known}"));
        }
    }

    fn changed(&mut self, event: &str, applied: &Applied) {
        let record = &applied.record;
        let (id, state, lease) = (record.id, record.state, record.lease.number());
        self.journal.note(format!("store: {id} {event} -> {state:?} ({lease:x})"));
        if let Some(ended) = self.ended.get(&id) {
            self.journal.violation(format!("{id} had ended as {ended:?} and is {state:?} now"));
        }
        if state.is_terminal() {
            self.ended.insert(id, state);
        }
    }
}

/// The store as one supervisor has it open.
pub(crate) struct DiskStore {
    store: Arc<MemoryStore>,
    watch: Arc<Mutex<Watch>>,
}

impl DiskStore {
    /// One in four operations is quick.
    async fn takes_time(&self) {
        let millis = {
            let chance = &mut lock(&self.watch).chance;
            if chance.one_in(4) { 0 } else { chance.below(LONGEST_MS) }
        };
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }
}

/// What happened, without what it carries.
fn name(change: &Change) -> String {
    let event = format!("{:?}", change.event);
    event.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

#[async_trait]
impl Store for DiskStore {
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
        self.takes_time().await;
        let submitted = self.store.submit(tasks, now).await?;
        lock(&self.watch).accepted(&submitted);
        self.takes_time().await;
        Ok(submitted)
    }

    async fn keyed(&self, keys: Vec<String>) -> Result<Vec<Keyed>, StoreError> {
        self.takes_time().await;
        self.store.keyed(keys).await
    }

    async fn apply(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        self.takes_time().await;
        let events: Vec<String> = changes.iter().map(name).collect();
        let results = self.store.apply(changes, now).await?;
        for (event, result) in events.iter().zip(&results) {
            if let Ok(applied) = result {
                lock(&self.watch).changed(event, applied);
            }
        }
        self.takes_time().await;
        Ok(results)
    }

    async fn task(&self, id: TaskId, max_result: usize) -> Result<Option<TaskDetail>, StoreError> {
        self.takes_time().await;
        self.store.task(id, max_result).await
    }

    async fn specs(&self, ids: Vec<TaskId>) -> Result<Vec<(TaskId, TaskSpec)>, StoreError> {
        self.takes_time().await;
        self.store.specs(ids).await
    }

    async fn trace(&self, id: TaskId, lease: Lease) -> Result<Option<Trace>, StoreError> {
        self.takes_time().await;
        self.store.trace(id, lease).await
    }

    async fn lanes(&self, after: Option<Lane>, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.takes_time().await;
        self.store.lanes(after, limit).await
    }

    async fn ready(
        &self,
        reads: Vec<LaneRead>,
        now: Timestamp,
    ) -> Result<Vec<LaneRows>, StoreError> {
        self.takes_time().await;
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
        self.takes_time().await;
        let running = self.store.running().await;
        self.takes_time().await;
        running
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
        self.takes_time().await;
        self.store.outcomes(filter, after, limit, max_result).await
    }

    fn last_outcome(&self) -> u64 {
        self.store.last_outcome()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.takes_time().await;
        self.store.check().await
    }

    async fn broken(&self) -> StoreError {
        self.store.broken().await
    }
}
