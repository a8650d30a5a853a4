//! The ledger as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

/// What `GET /sim/calls` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Calls received.
    pub(crate) total: u64,
    /// Of these, calls that have not ended.
    pub(crate) open: u64,
    /// Of these, calls whose client went away before the end.
    pub(crate) closed_early: u64,
    /// The same by `task.lease`.
    pub(crate) calls: BTreeMap<String, Tally>,
}

/// The calls of one lease.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    pub(crate) open: u32,
    pub(crate) closed_early: u32,
    /// What each call was answered with, in the order in which that was decided.
    pub(crate) outcomes: Vec<&'static str>,
}

impl Report {
    /// Adds up what is there.
    pub(super) fn of(calls: BTreeMap<String, Tally>) -> Self {
        let sum =
            |count: fn(&Tally) -> u32| calls.values().map(|tally| u64::from(count(tally))).sum();
        Self {
            total: sum(|tally| tally.count),
            open: sum(|tally| tally.open),
            closed_early: sum(|tally| tally.closed_early),
            calls,
        }
    }
}
