//! Whether a worker can be reached, and by which connection.

use std::sync::atomic::Ordering;

use taskfleet_runtime::transport::Link;

use super::Member;
use crate::{engine::Engine, fleet::dial::DialError, settings::DIAL_TIMEOUT};

/// Whether a worker can be reached.
#[derive(Debug, Clone)]
pub(crate) enum LinkState {
    /// It is being dialled.
    Connecting,
    /// By this connection.
    Up(Link),
    /// Never again under this boot_id, unless it joins anew.
    Gone,
}

impl Member {
    pub(crate) fn link_state(&self) -> LinkState {
        self.link.borrow().clone()
    }

    /// The connection, as soon as there is one; `None` when there never will be.
    pub(crate) async fn link(&self) -> Option<Link> {
        let mut link = self.link.subscribe();
        let settled = link
            .wait_for(|state| match state {
                LinkState::Connecting => false,
                // Gone already, and about to be replaced.
                LinkState::Up(link) => !link.is_closed(),
                LinkState::Gone => true,
            })
            .await;
        match settled.map(|state| state.clone()) {
            Ok(LinkState::Up(link)) => Some(link),
            _ => None,
        }
    }

    /// Waits until the worker is gone.
    pub(crate) async fn gone(&self) {
        let mut link = self.link.subscribe();
        // Fails only when the member itself is gone.
        let _ = link.wait_for(|state| matches!(state, LinkState::Gone)).await;
    }

    pub(in crate::fleet) async fn wait_up(&self) -> Result<(), DialError> {
        match tokio::time::timeout(DIAL_TIMEOUT, self.link()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => Err(DialError::Silent),
        }
    }

    pub(in crate::fleet) fn come_up(&self, engine: &Engine, link: Link) {
        self.hear(engine.time.micros());
        self.silent_since.store(0, Ordering::Relaxed);
        self.link.send_replace(LinkState::Up(link));
        self.offer(engine);
    }

    pub(in crate::fleet) fn go_down(&self, engine: &Engine) {
        self.link.send_replace(LinkState::Connecting);
        self.offer(engine);
    }

    pub(in crate::fleet) fn go(&self) {
        self.link.send_replace(LinkState::Gone);
        self.redial.notify_one();
    }

    /// It says that it can be reached: dial it now rather than later.
    pub(in crate::fleet) fn redial_now(&self) {
        self.redial.notify_one();
    }

    /// Until it says so.
    pub(in crate::fleet) async fn reachable(&self) {
        self.redial.notified().await;
    }
}
