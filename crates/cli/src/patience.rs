//! Asking again: how long, and with which pauses.

use std::time::Duration;

use taskfleet_runtime::Entropy;
use tokio::time::Instant;

/// The first pause; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Pauses between tries, jittered so that many clients do not come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    entropy: Entropy,
}

impl Backoff {
    /// Pauses of at most `longest`.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { next: FIRST_PAUSE, longest, entropy: Entropy::from_os() }
    }

    /// How long to wait before the next try.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.entropy.jittered(self.next);
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    /// It worked: the next pause is a short one.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }
}

/// Bounded patience with a supervisor that does not answer.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    since: Option<Instant>,
    backoff: Backoff,
}

impl Patience {
    /// Patience for `limit` from the first failure on.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, since: None, backoff: Backoff::new(Duration::from_secs(2)) }
    }

    /// Pauses before the next try; false, at once, when the time is over.
    pub(crate) async fn pause(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = self.limit.saturating_sub(since.elapsed());
        if left.is_zero() {
            return false;
        }
        tokio::time::sleep(self.backoff.pause().min(left)).await;
        true
    }

    /// Whether a try has failed since it last worked.
    pub(crate) fn is_tried(&self) -> bool {
        self.since.is_some()
    }

    /// It worked.
    pub(crate) fn restore(&mut self) {
        self.since = None;
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_comes_back() {
        let mut patience = Patience::new(Duration::from_secs(30));
        let start = Instant::now();
        while patience.pause().await {}
        assert!((30..31).contains(&start.elapsed().as_secs()));
        patience.restore();
        assert!(patience.pause().await);
    }
}
