//! The numbers that are kept, not counted.

use taskfleet_core::task::{TaskRecord, TaskState};

use crate::types::Counts;

/// Kept with every change, in the transaction that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// The number of the latest outcome; 0: none yet.
    pub(crate) last_outcome: u64,
}

impl Tally {
    /// A task was accepted, queued or at once claimed.
    pub(crate) fn accepted(&mut self, record: &TaskRecord) {
        self.enter(record.state, record.size_bytes);
    }

    /// A task went from one state to another, or stayed. Answers with the number of its
    /// outcome when it ended: in the order of the commits, without gaps.
    pub(crate) fn moved(&mut self, from: TaskState, record: &TaskRecord) -> Option<u64> {
        self.leave(from, record.size_bytes);
        self.enter(record.state, record.size_bytes);
        if from.is_terminal() || !record.state.is_terminal() {
            return None;
        }
        self.last_outcome += 1;
        Some(self.last_outcome)
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
