//! What the simulated API was called for.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The calls so far; the same as `GET /sim/calls`.
#[derive(Debug, Deserialize)]
pub(crate) struct Calls {
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
#[derive(Debug, Deserialize)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    pub(crate) open: u32,
    pub(crate) closed_early: u32,
    /// What each call was answered with, such as "200" or "500".
    pub(crate) outcomes: Vec<String>,
}

impl Calls {
    /// Asks the simulated API at `address`.
    pub(super) async fn read(address: &str) -> Self {
        // In a build of the whole workspace reqwest comes without a provider of its own.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answer = reqwest::get(format!("http://{address}/sim/calls")).await.unwrap();
        answer.json().await.unwrap()
    }

    /// How many calls one task made, over all its leases.
    pub(crate) fn of_task(&self, task_id: &str) -> u32 {
        let own = self.calls.iter().filter(|(key, _)| key.split('.').next() == Some(task_id));
        own.map(|(_, tally)| tally.count).sum()
    }
}
