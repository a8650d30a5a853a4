//! What is tested against the model, whatever it is.

use std::marker::PhantomData;

use proptest_state_machine::StateMachineTest;
use taskfleet_core::{TaskId, Timestamp, task::TaskRecord, task::TaskState};

use super::{fleet::Fleet, rest, task::Task, transition::Transition};

pub(super) trait System: Sized + 'static {
    /// Without tasks, in the model's first epoch.
    fn new() -> Self;

    /// Makes the calls of the fleet's last transition, and compares the answers and all that
    /// can be seen then.
    fn take(&mut self, fleet: &Fleet);

    /// What a supervisor finds to do there.
    fn work(&self, now: Timestamp) -> Work;

    /// What is too much to be compared after each transition.
    fn compare_at_the_end(&self, _: &Fleet) {}

    /// Every task has ended: all are taken out.
    fn clear(self, _: Timestamp) {}
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) overdue: Vec<TaskId>,
    pub(super) running: Vec<TaskId>,
    pub(super) ready: Vec<TaskId>,
    /// When more is ready.
    pub(super) next_due: Option<Timestamp>,
}

impl Work {
    pub(super) const fn is_none(&self) -> bool {
        self.overdue.is_empty()
            && self.running.is_empty()
            && self.ready.is_empty()
            && self.next_due.is_none()
    }
}

/// A system, driven by the model's transitions and then brought to rest.
pub(super) struct Driven<S>(PhantomData<S>);

impl<S: System> StateMachineTest for Driven<S> {
    type SystemUnderTest = S;
    type Reference = Fleet;

    fn init_test(_: &Fleet) -> S {
        S::new()
    }

    fn apply(mut system: S, fleet: &Fleet, _: Transition) -> S {
        system.take(fleet);
        system
    }

    fn teardown(mut system: S, fleet: Fleet) {
        system.compare_at_the_end(&fleet);
        let now = rest::come_to_rest(&mut system, fleet);
        system.clear(now);
    }
}

/// The record says what the model says.
pub(super) fn compare(record: &TaskRecord, task: &Task) {
    let waits = task.state == TaskState::Queued;
    let said = (
        record.state,
        record.lease,
        waits && record.lease_unheard,
        record.counters,
        record.not_before,
        record.deadline,
        record.kind,
        record.finished_at,
    );
    let expected = (
        task.state,
        task.lease(),
        waits && task.unheard,
        task.counters,
        task.resumes,
        task.deadline,
        task.kind,
        task.finished,
    );
    assert_eq!((record.id, said), (task.id, expected), "the record, and what the model says");
}
