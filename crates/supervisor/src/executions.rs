//! The executions that this process drives, by task.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use taskfleet_core::{Lease, TaskId, adoption::Held};
use tokio_util::sync::CancellationToken;

/// Which executions have a driver in this process. One driver an execution.
#[derive(Default)]
pub(crate) struct Executions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    drivers: HashMap<TaskId, Driver>,
    /// Tasks whose claim is being committed: their lease is not known yet.
    claiming: HashSet<TaskId>,
}

struct Driver {
    lease: Lease,
    abandoned: CancellationToken,
}

/// Marks tasks as being claimed, until it is dropped.
pub(crate) struct Claiming<'a> {
    executions: &'a Executions,
    tasks: Vec<TaskId>,
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        let mut state = self.executions.lock();
        for task in &self.tasks {
            state.claiming.remove(task);
        }
    }
}

impl Executions {
    /// To be held from before a claim is committed until its driver has begun, so that
    /// nobody takes the lease for one that was lost.
    pub(crate) fn claiming(&self, tasks: Vec<TaskId>) -> Claiming<'_> {
        self.lock().claiming.extend(&tasks);
        Claiming { executions: self, tasks }
    }

    /// A driver for this execution begins; `None` when one drives it or a later lease
    /// already. The token says when the execution is over by other means.
    pub(crate) fn begin(&self, held: Held) -> Option<CancellationToken> {
        let drivers = &mut self.lock().drivers;
        match drivers.get(&held.task) {
            Some(driver) if driver.lease >= held.lease => return None,
            Some(driver) => driver.abandoned.cancel(),
            None => {}
        }
        let abandoned = CancellationToken::new();
        let driver = Driver { lease: held.lease, abandoned: abandoned.clone() };
        drivers.insert(held.task, driver);
        Some(abandoned)
    }

    /// The driver of this execution has ended.
    pub(crate) fn end(&self, held: Held) {
        let drivers = &mut self.lock().drivers;
        if drivers.get(&held.task).is_some_and(|driver| driver.lease == held.lease) {
            drivers.remove(&held.task);
        }
    }

    /// The execution is over by other means: its driver lets go of it.
    pub(crate) fn abandon(&self, task: TaskId, lease: Lease) {
        if let Some(driver) = self.lock().drivers.get(&task).filter(|driver| driver.lease == lease)
        {
            driver.abandoned.cancel();
        }
    }

    /// Whether this execution has a driver, or is about to get one.
    pub(crate) fn is_ours(&self, held: Held) -> bool {
        let state = self.lock();
        state.claiming.contains(&held.task)
            || state.drivers.get(&held.task).is_some_and(|driver| driver.lease == held.lease)
    }

    /// Whether any execution of the task has one.
    pub(crate) fn drives(&self, task: TaskId) -> bool {
        self.lock().drivers.contains_key(&task)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().drivers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
