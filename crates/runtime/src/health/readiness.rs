//! Why a service is not ready.

use std::{collections::BTreeMap, convert::Infallible};

use tokio::sync::watch;

use super::Health;

/// The part that is not ready while a service starts.
const START: &str = "start";

/// What keeps a service from being ready, by the part that says so. It is ready while
/// nothing does. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    reasons: watch::Sender<BTreeMap<&'static str, String>>,
}

impl Readiness {
    /// `part` does not do its work, for this reason; until [`Readiness::clear`].
    pub fn block(&self, part: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        if self.block_silently(part, reason.clone()) {
            tracing::error!(part, %reason, "not ready");
        }
    }

    /// The same, for whoever logs it in words of its own; whether it was news.
    pub fn block_silently(&self, part: &'static str, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        self.reasons.send_if_modified(|reasons| {
            let changed = reasons.get(part) != Some(&reason);
            if changed {
                reasons.insert(part, reason);
            }
            changed
        })
    }

    /// The service starts, and is not ready before [`Readiness::started`].
    #[must_use]
    pub fn starting() -> Self {
        let readiness = Self::default();
        readiness.block_silently(START, "it is starting");
        readiness
    }

    /// The service has started: it is ready if nothing else keeps it from that.
    pub fn started(&self) {
        self.reasons.send_modify(|reasons| {
            reasons.remove(START);
        });
    }

    /// The service stops, and is not ready any more.
    pub fn stopping(&self) {
        self.block_silently("shutdown", "it is stopping");
    }

    /// `part` does its work again.
    pub fn clear(&self, part: &'static str) {
        self.reasons.send_if_modified(|reasons| {
            let changed = reasons.remove(part).is_some();
            if changed {
                tracing::info!(part, "ready again");
            }
            changed
        });
    }

    /// What keeps the service from being ready, by part; nothing while it is.
    #[must_use]
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.reasons.borrow().clone()
    }

    /// Why `part` does not do its work; `None`: it does.
    #[must_use]
    pub fn reason(&self, part: &str) -> Option<String> {
        self.reasons.borrow().get(part).cloned()
    }

    /// Waits until `part` does not do its work; says why.
    pub async fn blocked(&self, part: &str) -> String {
        let mut reasons = self.reasons.subscribe();
        loop {
            if let Some(reason) = reasons.borrow_and_update().get(part) {
                return reason.clone();
            }
            changed(&mut reasons).await;
        }
    }

    /// Shows in `health` whether the service is ready, and each change of it, for as long as
    /// this is polled.
    pub async fn show(&self, health: &Health) -> Infallible {
        let mut reasons = self.reasons.subscribe();
        loop {
            let ready = reasons.borrow_and_update().is_empty();
            health.set_ready(ready).await;
            changed(&mut reasons).await;
        }
    }
}

async fn changed<T>(reasons: &mut watch::Receiver<T>) {
    if reasons.changed().await.is_err() {
        // Whoever calls this borrows the sender: it cannot be gone.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_starts_is_ready_when_it_has_started_and_nothing_else_is_wrong() {
        let readiness = Readiness::starting();
        assert_eq!(readiness.reasons().keys().collect::<Vec<_>>(), [&"start"]);
        readiness.block("store", "its disk is full");
        readiness.started();
        assert_eq!(readiness.reasons().keys().collect::<Vec<_>>(), [&"store"]);
        readiness.clear("store");
        assert!(readiness.reasons().is_empty());
    }

    #[test]
    fn each_part_has_its_own_reason_and_one_is_enough() {
        let readiness = Readiness::default();
        readiness.block("store", "its disk is full");
        readiness.block("dispatcher", "it stands still");
        readiness.clear("store");
        assert_eq!(readiness.reason("store"), None);
        assert_eq!(readiness.reason("dispatcher").as_deref(), Some("it stands still"));
    }
}
