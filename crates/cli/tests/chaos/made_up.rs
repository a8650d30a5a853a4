//! Histories and faults as one would tell them.

use taskfleet_core::{Lease, Timestamp};
use taskfleet_proto::v1::{AttemptEnd, TaskState};

use crate::chaos::{
    history::{Attempt, Fault, History},
    kind::Kind,
    plan::Target,
};

/// Milliseconds of the run.
pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + millis)
}

/// A fault of worker `index`, or of the supervisor if it is one of its kinds, from `began` to
/// `healed`; a death is over at once.
pub(crate) fn fault(kind: Kind, index: usize, began: u64, healed: u64) -> Fault {
    let target = if kind.is_supervisors() { Target::Supervisor } else { Target::Worker(index) };
    let dies = matches!(kind, Kind::WorkerKilled | Kind::SupervisorKilled);
    Fault {
        kind,
        target,
        began: at(began),
        until: at(if dies { began + 1 } else { healed }),
        started: Some(at(healed)),
        healed: at(healed),
    }
}

/// A completed task without an execution; see [`Told::ran`].
pub(crate) fn task() -> History {
    History {
        id: "task".into(),
        state: TaskState::Completed,
        is_own: true,
        lease: Lease::NONE,
        attempts: Vec::new(),
        calls: [].into(),
    }
}

pub(crate) trait Told {
    /// Its next execution, on worker `index`, with one call.
    fn ran(self, index: usize, started: u64, ended: u64, end: AttemptEnd) -> Self;
}

impl Told for History {
    fn ran(mut self, index: usize, started: u64, ended: u64, end: AttemptEnd) -> Self {
        self.lease = Lease::new(self.lease.number() + 1);
        self.calls.insert(self.lease, 1);
        self.attempts.push(Attempt {
            lease: self.lease,
            worker: Target::Worker(index),
            started: at(started),
            ended: at(ended),
            end,
            possibly_paid: end != AttemptEnd::Completed,
        });
        self
    }
}
