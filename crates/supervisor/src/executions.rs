//! The executions that this process drives, by task.

use std::{
    collections::{HashMap, hash_map::Entry},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use taskfleet_core::{Lease, TaskId, adoption::Held};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Which executions have a driver in this process. One driver an execution.
#[derive(Default)]
pub(crate) struct Executions {
    state: Mutex<State>,
    /// A driver has ended, or a mark was taken away.
    ended: Notify,
}

#[derive(Default)]
struct State {
    drivers: HashMap<TaskId, Driver>,
    claiming: HashMap<TaskId, Mark>,
}

/// A claim or an adoption of a task is being committed, so that its driver has not begun.
#[derive(Default)]
struct Mark {
    /// How many are at it: the mark stays until the last of them is done.
    count: usize,
    /// Up to which lease the task has been abandoned meanwhile.
    abandoned: Lease,
}

/// Why no driver begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// One drives it or a later lease already.
    Driven,
    /// It was abandoned before it began: cancelled, for example, or expired.
    Abandoned,
}

struct Driver {
    lease: Lease,
    abandoned: CancellationToken,
    untraced: bool,
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
            if let Entry::Occupied(mut mark) = state.claiming.entry(*task) {
                mark.get_mut().count -= 1;
                if mark.get().count == 0 {
                    mark.remove();
                }
            }
        }
        drop(state);
        self.executions.ended.notify_waiters();
    }
}

impl Executions {
    /// To be held from before a claim or an adoption is committed until its driver has begun,
    /// so that nobody takes the lease for one that was lost, and no end goes unheard.
    pub(crate) fn claiming(&self, tasks: Vec<TaskId>) -> Claiming<'_> {
        let mut state = self.lock();
        for task in &tasks {
            state.claiming.entry(*task).or_default().count += 1;
        }
        drop(state);
        Claiming { executions: self, tasks }
    }

    /// A driver for this execution begins. The token says when the execution is over by other
    /// means.
    ///
    /// # Errors
    /// See [`NotBegun`].
    pub(crate) fn begin(&self, held: Held) -> Result<CancellationToken, NotBegun> {
        let mut state = self.lock();
        if state.claiming.get(&held.task).is_some_and(|mark| mark.abandoned >= held.lease) {
            return Err(NotBegun::Abandoned);
        }
        let drivers = &mut state.drivers;
        match drivers.get(&held.task) {
            Some(driver) if driver.lease >= held.lease => return Err(NotBegun::Driven),
            Some(driver) => driver.abandoned.cancel(),
            None => {}
        }
        let abandoned = CancellationToken::new();
        let driver = Driver { lease: held.lease, abandoned: abandoned.clone(), untraced: false };
        drivers.insert(held.task, driver);
        Ok(abandoned)
    }

    /// The driver of this execution has ended.
    pub(crate) fn end(&self, held: Held) {
        let drivers = &mut self.lock().drivers;
        if drivers.get(&held.task).is_some_and(|driver| driver.lease == held.lease) {
            drivers.remove(&held.task);
        }
        self.ended.notify_waiters();
    }

    /// Waits until none of these executions has a driver, and no task of theirs is just
    /// being claimed.
    pub(crate) async fn undriven(&self, all: &[Held]) {
        loop {
            let mut ended = pin!(self.ended.notified());
            // Before looking: one that ends in between is not missed.
            ended.as_mut().enable();
            if !all.iter().any(|held| self.is_ours(*held)) {
                return;
            }
            ended.await;
        }
    }

    /// The execution is over by other means: its driver lets go of it, or never begins.
    pub(crate) fn abandon(&self, task: TaskId, lease: Lease) {
        let mut state = self.lock();
        if let Some(driver) = state.drivers.get(&task).filter(|driver| driver.lease == lease) {
            driver.abandoned.cancel();
        }
        if let Some(mark) = state.claiming.get_mut(&task) {
            mark.abandoned = lease.max(mark.abandoned);
        }
    }

    /// No spans are to be written of the task of this execution, as long as it is driven.
    pub(crate) fn leave_untraced(&self, held: Held) {
        let drivers = &mut self.lock().drivers;
        if let Some(driver) = drivers.get_mut(&held.task).filter(|one| one.lease == held.lease) {
            driver.untraced = true;
        }
    }

    /// Whether it is known that there are to be none.
    pub(crate) fn is_untraced(&self, held: Held) -> bool {
        let state = self.lock();
        let driver = state.drivers.get(&held.task).filter(|driver| driver.lease == held.lease);
        driver.is_some_and(|driver| driver.untraced)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn held(lease: u64) -> Held {
        Held { task: TaskId::from_bytes([1; 16]), lease: Lease::new(lease) }
    }

    #[test]
    fn a_mark_stays_until_the_last_who_set_it_is_done() {
        let executions = Executions::default();
        let claim = executions.claiming(vec![held(1).task]);
        let adoption = executions.claiming(vec![held(1).task]);
        drop(claim);
        assert!(executions.is_ours(held(1)), "the adoption is still at it");
        executions.abandon(held(1).task, held(1).lease);
        assert_eq!(executions.begin(held(1)).err(), Some(NotBegun::Abandoned));
        drop(adoption);
        assert!(!executions.is_ours(held(1)));
        assert!(executions.begin(held(1)).is_ok(), "a mark of before says nothing of now");
    }

    #[tokio::test]
    async fn who_waits_for_drivers_waits_for_each_of_those_and_no_other() {
        let executions = Executions::default();
        assert!(executions.begin(held(1)).is_ok());
        // Another lease of the task is not waited for.
        executions.undriven(&[held(2)]).await;
        let both = async {
            tokio::task::yield_now().await;
            assert!(executions.is_ours(held(1)));
            executions.end(held(1));
        };
        let waited_for = [held(1), held(2)];
        tokio::join!(executions.undriven(&waited_for), both);
        assert!(!executions.is_ours(held(1)));
    }
}
