//! What a supervisor does about what a worker says it holds.

use std::{collections::HashMap, time::Duration};

use crate::{
    Epoch, Lease, TaskId, Timestamp,
    machine::Event,
    task::{Holder, TaskRecord},
};

/// An execution that a worker runs, or whose outcome it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// Of the execution.
    pub lease: Lease,
}

/// Events to apply, each with the execution that it is about.
pub type Decisions = Vec<(Held, Event)>;

/// The events to apply after a worker's answer to Adopt: each held execution is offered to
/// its task (a refusal means: settle it as stale), and each lease that the store believes
/// to be there and is not (`believed`) is known not to run.
///
/// Believe only leases of earlier epochs ([`Lease::epoch`]): their requests are refused
/// since the worker was adopted. A request of this epoch may still lie in a connection
/// that broke, or be on its way in one that did not, and would start after the worker said
/// that it holds nothing. Ask for those with `attach_only`, which forbids them to start.
#[must_use]
pub fn reconcile(holder: &Holder, held: &[Held], believed: &[Held]) -> (Decisions, Decisions) {
    let leases: HashMap<TaskId, Lease> = held.iter().map(|held| (held.task, held.lease)).collect();
    let adopt = held
        .iter()
        .map(|&held| (held, Event::Adopt { lease: held.lease, holder: holder.clone() }))
        .collect();
    let missing = believed
        .iter()
        .filter(|believed| leases.get(&believed.task) != Some(&believed.lease))
        .map(|&believed| (believed, Event::NotStarted { lease: believed.lease }))
        .collect();
    (adopt, missing)
}

/// What a store can know of leases that it may not have given out: it is older than what the
/// fleet works on when it was restored or mounted by mistake, and so is a copy of it that was
/// served meanwhile. What this very file never gave out it neither settles nor aborts: the
/// worker keeps it, and the file that did finds it there.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// In which the store is open now.
    pub epoch: Epoch,
    /// In which it was open before.
    pub former: Epoch,
    /// How long ended tasks are kept.
    pub retention: Duration,
}

impl Memory {
    /// Whether a lease of a task that is not there was given out by this file, which has
    /// forgotten the task since. A task younger than the retention cannot have been pruned; one
    /// of an epoch that the file never saw was never in it.
    #[must_use]
    pub fn pruned(&self, held: Held, now: Timestamp) -> bool {
        let old = now.since(held.task.minted_at()) >= self.retention;
        self.is_own(held.lease) || (held.lease.epoch() <= self.former && old)
    }

    /// Whether a lease of a task that is there was given out by this file; `ended` are the
    /// leases of its history.
    #[must_use]
    pub fn gave_out(
        &self,
        lease: Lease,
        task: &TaskRecord,
        mut ended: impl Iterator<Item = Lease>,
    ) -> bool {
        let known =
            if lease == task.lease { !task.lease_borrowed } else { ended.any(|of| of == lease) };
        self.is_own(lease) || known
    }

    /// Nobody else gives out leases of this epoch.
    fn is_own(&self, lease: Lease) -> bool {
        lease.epoch() >= self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Content, TaskSpec, Work};

    const DAY: Duration = Duration::from_secs(24 * 3_600);
    const MEMORY: Memory = Memory { epoch: Epoch::new(9), former: Epoch::new(5), retention: DAY };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_700_000_000_000) + Duration::from_secs(seconds)
    }

    fn task(seconds: u64) -> TaskId {
        TaskId::new(at(seconds), [1; 10])
    }

    fn lease(epoch: u64) -> Lease {
        Lease::NONE.next(Epoch::new(epoch))
    }

    #[test]
    fn a_task_that_is_not_there_was_pruned_only_if_it_is_old_and_its_epoch_was_seen() {
        let pruned = |age: Duration, epoch| {
            let held = Held { task: task(0), lease: lease(epoch) };
            MEMORY.pruned(held, at(0) + age)
        };
        assert!(pruned(DAY, 5), "as it was always");
        assert!(!pruned(DAY - Duration::from_secs(1), 5), "submitted after the copy was made");
        assert!(!pruned(DAY, 6), "of a life that this file never saw");
        assert!(pruned(Duration::ZERO, 9), "of this very life");
    }

    #[test]
    fn a_lease_was_given_out_here_if_the_task_or_its_history_knows_it() {
        let spec = TaskSpec::new(Work::Content(Content::default()));
        let mut record = TaskRecord { lease: lease(5), ..spec.record(task(0), at(0)) };
        let gave_out = |record: &TaskRecord, epoch| {
            MEMORY.gave_out(lease(epoch), record, [lease(4)].into_iter())
        };
        assert!(gave_out(&record, 5) && gave_out(&record, 4) && gave_out(&record, 9));
        assert!(!gave_out(&record, 3) && !gave_out(&record, 6));
        record.lease_borrowed = true;
        assert!(!gave_out(&record, 5), "it was adopted from another copy");
    }
}
