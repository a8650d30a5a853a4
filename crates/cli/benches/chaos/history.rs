//! What happened in a run: to the tasks, by their own histories and the simulator's count, and
//! to the processes, by the log of faults.

use std::collections::BTreeMap;

use taskfleet_core::{Lease, Timestamp};
use taskfleet_proto::v1::{AttemptEnd, TaskState};

use crate::chaos::{kind::Kind, plan::Target};

/// A fault that has struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    pub(crate) began: Timestamp,
    /// The last moment at which a call could fall to it: that of a death, the end of a silence.
    pub(crate) until: Timestamp,
    /// When the new process was started, where there is one.
    pub(crate) started: Option<Timestamp>,
    /// When what was struck was woken, healed or listened again.
    pub(crate) healed: Timestamp,
}

/// One execution, as GetTask shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) lease: Lease,
    pub(crate) worker: Target,
    /// When it was claimed.
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) end: AttemptEnd,
    pub(crate) possibly_paid: bool,
}

/// An accepted task in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) id: String,
    pub(crate) state: TaskState,
    /// Whether its result is the answer to its own prompt.
    pub(crate) is_own: bool,
    /// That of its outcome.
    pub(crate) lease: Lease,
    /// Those that ended, oldest first.
    pub(crate) attempts: Vec<Attempt>,
    /// What the simulator counted, by lease.
    pub(crate) calls: BTreeMap<Lease, u32>,
}

impl Fault {
    /// Whether its target was away or not itself at any time between two.
    pub(crate) fn overlaps(&self, from: Timestamp, to: Timestamp) -> bool {
        self.began <= to && self.healed >= from
    }
}

impl Attempt {
    /// Whether the fault found it at its worker: it ran there, its outcome waited to be
    /// settled, or it was sent there while the worker was silent.
    pub(crate) fn was_there(&self, fault: &Fault) -> bool {
        self.worker == fault.target && self.started <= fault.until && self.ended >= fault.began
    }
}

impl History {
    /// Calls that were made for it.
    pub(crate) fn call_count(&self) -> u32 {
        self.calls.values().sum()
    }

    /// The execution after this lease.
    pub(crate) fn next_after(&self, lease: Lease) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.lease > lease)
    }
}
