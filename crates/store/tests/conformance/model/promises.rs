//! What holds whatever the model says: seen in the records alone.

use std::collections::BTreeMap;

use taskfleet_core::{
    TaskId,
    limits::{MAX_REQUEUES, MAX_WORKER_LOSSES},
    task::{TaskRecord, TaskState},
};

/// Every task as it was seen last.
#[derive(Default)]
pub(super) struct Promises {
    seen: BTreeMap<TaskId, TaskRecord>,
}

impl Promises {
    /// `displaced`: its live leases that gave way to one above them. Each counts as a hand-back,
    /// and none of them ends a task whose call goes on.
    pub(super) fn look_at(&mut self, record: &TaskRecord, displaced: u32) {
        let live = record.state == TaskState::Running;
        assert_eq!(
            live,
            record.holder.is_some(),
            "a live lease has a holder, no other: {record:?}"
        );
        within_limits(record, displaced);
        if let Some(before) = self.seen.insert(record.id, record.clone()) {
            assert!(
                !before.state.is_terminal() || before == *record,
                "an ended task changed:\n{before:?}\n{record:?}"
            );
            assert!(before.lease <= record.lease, "a lease fell:\n{before:?}\n{record:?}");
        }
    }
}

fn within_limits(record: &TaskRecord, displaced: u32) {
    let counters = record.counters;
    let open = u32::from(!record.state.is_terminal());
    for (count, limit) in [
        (counters.attempts, record.retry.max_attempts),
        (counters.losses, MAX_WORKER_LOSSES),
        (counters.requeues, MAX_REQUEUES + displaced),
    ] {
        assert!(count + open <= limit, "over a limit: {record:?}");
    }
}
