//! Tells of a supervisor that is away, once.

use std::time::Duration;

use tokio::time::Instant;

use super::registration::Lost;

/// What has been told. At first nothing, and being away is news.
#[derive(Debug)]
pub(super) struct Absence {
    told: Option<String>,
    was_member: bool,
    since: Instant,
}

impl Default for Absence {
    fn default() -> Self {
        Self { told: None, was_member: false, since: Instant::now() }
    }
}

impl Absence {
    /// The supervisor cannot be reached or refuses: told when it begins, and again when it is
    /// refused in other words.
    pub(super) fn note(&mut self, supervisor: &str, lost: &Lost) {
        let words = lost.to_string();
        let is_news = match &self.told {
            None => {
                self.begin();
                true
            }
            Some(told) => lost.is_refusal() && *told != words,
        };
        if is_news {
            tracing::warn!(supervisor, reason = words, "not registered; trying on");
            self.told = Some(words);
        }
    }

    /// Whether the supervisor has been away for so long.
    pub(super) fn lasts(&self, limit: Duration) -> bool {
        self.told.is_some() && self.since.elapsed() >= limit
    }

    /// At the first start it begins with the process, later when the registration is lost.
    fn begin(&mut self) {
        if self.was_member {
            self.since = Instant::now();
        }
    }

    /// The worker is registered.
    pub(super) fn end(&mut self, supervisor: &str, epoch: u64) {
        if self.told.take().is_some() || !self.was_member {
            tracing::info!(supervisor, epoch, "registered");
        }
        self.was_member = true;
    }
}
