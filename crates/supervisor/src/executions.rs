//! The executions that this process drives, by task.

use std::{
    collections::HashMap,
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
    /// Tasks whose claim is being committed, so that their lease is not known yet; and up to
    /// which lease they have been abandoned meanwhile.
    claiming: HashMap<TaskId, Lease>,
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
        self.lock().claiming.extend(tasks.iter().map(|task| (*task, Lease::NONE)));
        Claiming { executions: self, tasks }
    }

    /// A driver for this execution begins; `None` when one drives it or a later lease
    /// already, or it was abandoned before it began. The token says when the execution is over by other means.
    pub(crate) fn begin(&self, held: Held) -> Option<CancellationToken> {
        let mut state = self.lock();
        if state.claiming.get(&held.task).is_some_and(|abandoned| *abandoned >= held.lease) {
            return None;
        }
        let drivers = &mut state.drivers;
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

    /// The execution is over by other means: its driver lets go of it, or never begins.
    pub(crate) fn abandon(&self, task: TaskId, lease: Lease) {
        let mut state = self.lock();
        if let Some(driver) = state.drivers.get(&task).filter(|driver| driver.lease == lease) {
            driver.abandoned.cancel();
        }
        if let Some(abandoned) = state.claiming.get_mut(&task) {
            *abandoned = lease.max(*abandoned);
        }
    }

    /// Whether this execution has a driver, or is about to get one.
    pub(crate) fn is_ours(&self, held: Held) -> bool {
        let state = self.lock();
        state.claiming.contains_key(&held.task)
            || state.drivers.get(&held.task).is_some_and(|driver| driver.lease == held.lease)
    }

    /// Whether any execution of the task has one.
    pub(crate) fn drives(&self, task: TaskId) -> bool {
        self.lock().drivers.contains_key(&task)
    }

    /// The executions that have a driver now.
    pub(crate) fn all(&self) -> Vec<Held> {
        let state = self.lock();
        let held = |(task, driver): (&TaskId, &Driver)| Held { task: *task, lease: driver.lease };
        state.drivers.iter().map(held).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().drivers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
