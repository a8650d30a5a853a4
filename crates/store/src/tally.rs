//! The numbers that are kept, not counted.

use taskfleet_core::task::{Counters, TaskRecord, TaskState};

use crate::types::{Counts, Totals};

/// Kept with every change, in the transaction that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    pub(crate) totals: Totals,
    /// The number of the latest outcome; 0: none yet.
    pub(crate) last_outcome: u64,
}

/// What of a task an event may change that is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    state: TaskState,
    counters: Counters,
}

impl Before {
    pub(crate) fn of(record: &TaskRecord) -> Self {
        Self { state: record.state, counters: record.counters }
    }
}

impl Tally {
    /// A task was accepted, queued or at once claimed.
    pub(crate) fn accepted(&mut self, record: &TaskRecord) {
        self.enter(record.state, record.size_bytes);
    }

    /// A task went from one state to another, or stayed. Answers with the number of its
    /// outcome when it ended: in the order of the commits, without gaps.
    pub(crate) fn moved(&mut self, before: Before, record: &TaskRecord) -> Option<u64> {
        let from = before.state;
        self.leave(from, record.size_bytes);
        self.enter(record.state, record.size_bytes);
        self.add(before.counters, record.counters);
        if from.is_terminal() || !record.state.is_terminal() {
            return None;
        }
        self.last_outcome += 1;
        Some(self.last_outcome)
    }

    /// An ended task was taken out of the store.
    pub(crate) fn removed(&mut self, state: TaskState) {
        *self.count(state) -= 1;
    }

    fn add(&mut self, before: Counters, after: Counters) {
        let more = |before: u32, after: u32| u64::from(after.saturating_sub(before));
        self.totals.attempts_failed += more(before.attempts, after.attempts);
        self.totals.worker_losses += more(before.losses, after.losses);
        self.totals.throttles += more(before.throttles, after.throttles);
        self.totals.requeues += more(before.requeues, after.requeues);
    }

    fn enter(&mut self, state: TaskState, bytes: u64) {
        *self.count(state) += 1;
        if state == TaskState::Queued {
            self.counts.queued_bytes += bytes;
        }
    }

    fn leave(&mut self, state: TaskState, bytes: u64) {
        *self.count(state) -= 1;
        if state == TaskState::Queued {
            self.counts.queued_bytes -= bytes;
        }
    }

    fn count(&mut self, state: TaskState) -> &mut u64 {
        match state {
            TaskState::Queued => &mut self.counts.queued,
            TaskState::Running => &mut self.counts.running,
            TaskState::Completed => &mut self.counts.completed,
            TaskState::Failed => &mut self.counts.failed,
            TaskState::Cancelled => &mut self.counts.cancelled,
        }
    }
}
