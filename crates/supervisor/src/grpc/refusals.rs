//! Tells operators of workers that are refused: once for each reason, for such a worker asks
//! again every two seconds.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use tonic::{Code, Status};

/// Reasons that are kept in mind; who finds ever new ones is not listened to beyond that.
const MAX_TOLD: usize = 1_000;

/// What has been told.
#[derive(Default)]
pub(super) struct Refusals {
    told: Mutex<HashSet<(Option<IpAddr>, String)>>,
}

impl Refusals {
    /// A registration from `peer` was refused.
    pub(super) fn tell(&self, peer: Option<IpAddr>, status: &Status) {
        if status.code() != Code::Unavailable && self.is_news(peer, status.message()) {
            let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
            tracing::warn!(peer, reason = status.message(), "refused to register a worker");
        }
    }

    fn is_news(&self, peer: Option<IpAddr>, reason: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MAX_TOLD && told.insert((peer, reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_asks_again_and_again_is_told_of_once_and_strangers_do_not_flood_the_log() {
        let refusals = Refusals::default();
        let told = (0..100).filter(|_| refusals.is_news(None, "join_token: is missing"));
        assert_eq!(told.count(), 1);
        let told = (0..10_000).filter(|n| refusals.is_news(None, &n.to_string()));
        assert_eq!(told.count(), MAX_TOLD - 1);
    }
}
