//! Tells of a supervisor that is away or refuses, once.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

use super::registration::Lost;

/// Reasons that are told one by one; a supervisor that finds ever new words is not listened
/// to beyond that.
const MAX_TOLD: usize = 16;

/// What has been told since it began. At first nothing, and being away is news.
#[derive(Debug)]
pub(super) struct Absence {
    told: HashSet<String>,
    was_member: bool,
    since: Instant,
}

impl Default for Absence {
    fn default() -> Self {
        Self { told: HashSet::new(), was_member: false, since: Instant::now() }
    }
}

impl Absence {
    /// The supervisor cannot be reached or refuses: told when it begins, and once for each
    /// reason for which the worker is refused, though it is refused every two seconds.
    /// Returns whether it was told.
    pub(super) fn note(&mut self, supervisor: &str, lost: &Lost) -> bool {
        let words = lost.to_string();
        if self.told.is_empty() {
            self.begin();
        } else if !lost.is_refusal() || self.told.len() == MAX_TOLD || self.told.contains(&words) {
            return false;
        }
        if lost.is_refusal() {
            tracing::error!(supervisor, reason = words, "the supervisor refuses this worker");
        } else {
            tracing::warn!(supervisor, reason = words, "not registered; trying on");
        }
        self.told.insert(words)
    }

    /// Whether the supervisor has been away for so long.
    pub(super) fn lasts(&self, limit: Duration) -> bool {
        !self.told.is_empty() && self.since.elapsed() >= limit
    }

    /// At the first start it begins with the process, later when the registration is lost.
    fn begin(&mut self) {
        if self.was_member {
            self.since = Instant::now();
        }
    }

    /// The worker is registered.
    pub(super) fn end(&mut self, supervisor: &str, epoch: u64) {
        if !self.told.is_empty() || !self.was_member {
            tracing::info!(supervisor, epoch, "registered");
        }
        self.told.clear();
        self.was_member = true;
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn refused(words: &str) -> Lost {
        Lost::Status(Box::new(Status::unauthenticated(words)))
    }

    #[test]
    fn each_reason_is_told_once_however_often_it_comes() {
        let mut absence = Absence::default();
        assert!(absence.note("s", &Lost::Gone), "being away is news");
        let mut told = 0;
        for _ in 0..100 {
            told += u32::from(absence.note("s", &refused("one")));
            told += u32::from(absence.note("s", &Lost::Gone));
            told += u32::from(absence.note("s", &refused("two")));
        }
        assert_eq!(told, 2);
        absence.end("s", 1);
        assert!(absence.note("s", &refused("one")), "it was registered meanwhile");
    }

    #[test]
    fn a_supervisor_with_ever_new_words_does_not_flood_the_log() {
        let mut absence = Absence::default();
        let told = (0..1_000).filter(|n| absence.note("s", &refused(&n.to_string())));
        assert_eq!(told.count(), MAX_TOLD);
    }
}
