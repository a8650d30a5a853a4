//! A supervisor starts: everything that was running is looked for before it is given up.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taskfleet_core::{
    BootId, TaskId,
    task::{Holder, TaskRecord, TaskState},
};
use taskfleet_store::StoreError;

use crate::engine::Engine;

/// Looks for every worker that had tasks. What waits is asked for when workers are there.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn begin(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let running = engine.store.running().await?;
    let count = running.len();
    engine.awaited.await_all(running.iter().map(|row| row.id));
    let holders: HashMap<BootId, Holder> =
        running.into_iter().map(|row| (row.holder.boot_id, row.holder)).collect();
    if count > 0 {
        tracing::info!(tasks = count, workers = holders.len(), "looking for running tasks");
    }
    for holder in holders.values() {
        engine.recall(holder);
    }
    Ok(())
}

/// Tasks that were running at the start. The supervisor's own absence may have outlasted their
/// deadline, so within the start grace the worker's word on how they ended goes first.
#[derive(Default)]
pub(crate) struct Awaited(Mutex<HashSet<TaskId>>);

impl Awaited {
    fn await_all(&self, tasks: impl Iterator<Item = TaskId>) {
        self.lock().extend(tasks);
    }

    /// A task that runs no more is waited for no more.
    pub(crate) fn changed(&self, record: &TaskRecord) {
        if record.state != TaskState::Running {
            self.lock().remove(&record.id);
        }
    }

    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.lock().contains(&task)
    }

    /// The grace is over.
    pub(crate) fn end(&self) {
        std::mem::take(&mut *self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
