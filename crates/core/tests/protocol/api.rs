//! The model API: it counts every call, for calls are what costs money.

use std::collections::{BTreeMap, BTreeSet};

use taskfleet_core::{
    Lease, TaskId,
    adoption::Held,
    failure::{Delivery, FailureKind},
    outcome::{Call, End, Outcome, Payload},
};

/// How the API answers a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    Good,
    Retryable,
    SlowDown,
    Fatal,
}

/// Every call that was ever made, by whatever worker.
#[derive(Debug, Default)]
pub(crate) struct Api {
    calls: BTreeMap<TaskId, BTreeSet<Lease>>,
}

impl Api {
    /// A worker calls. The same execution must never call twice, wherever it runs.
    pub(crate) fn call(&mut self, by: Held) {
        let first = self.calls.entry(by.task).or_default().insert(by.lease);
        assert!(first, "{by:?} called twice");
    }

    pub(crate) fn calls(&self, task: TaskId) -> usize {
        self.calls.get(&task).map_or(0, BTreeSet::len)
    }

    pub(crate) fn was_called_by(&self, by: Held) -> bool {
        self.calls.get(&by.task).is_some_and(|leases| leases.contains(&by.lease))
    }
}

/// What the worker reports after this reply; a good one names the call that it came from.
pub(crate) fn outcome(by: Held, reply: Reply) -> Outcome {
    let failed = |kind| Outcome::failed(kind, Delivery::Answered, "");
    match reply {
        Reply::Good => Outcome {
            end: End::Completed(Payload::Text(receipt(by))),
            call: Call::new(Delivery::Answered),
        },
        Reply::Retryable => failed(FailureKind::ApiError),
        Reply::SlowDown => failed(FailureKind::RateLimited),
        Reply::Fatal => failed(FailureKind::InvalidRequest),
    }
}

/// The text of a good answer to this execution's call.
pub(crate) fn receipt(by: Held) -> String {
    format!("{} {}", by.task, by.lease)
}
