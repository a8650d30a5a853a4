//! One token bucket. It holds what a span shorter than a minute may use, and fills at the rate of
//! the minute, so that a burst is rejected long before the minute's total.

use std::time::Duration;

use tokio::time::Instant;

use super::headers::Meter;

/// What is left of one limit.
#[derive(Debug)]
pub(super) struct Bucket {
    /// A minute.
    limit: u32,
    capacity: f64,
    /// Negative after a call that cost more than the bucket holds.
    level: f64,
    refilled: Instant,
}

impl Bucket {
    pub(super) fn full(limit: u32, span: Duration, now: Instant) -> Self {
        let share = span.as_secs_f64() / 60.0;
        let capacity = (f64::from(limit) * share).max(1.0);
        Self { limit, capacity, level: capacity, refilled: now }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    fn per_second(&self) -> f64 {
        f64::from(self.limit) / 60.0
    }

    pub(super) fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.level = (self.level + passed * self.per_second()).min(self.capacity);
        self.refilled = now;
    }

    /// How long until `cost` would be admitted, which takes a full bucket when it costs more than
    /// that; `None`: it is now.
    pub(super) fn wait(&self, cost: f64) -> Option<Duration> {
        let missing = cost.min(self.capacity) - self.level;
        // What is missing by less than a millionth is only the noise of floating point.
        (missing > 1e-6).then(|| Duration::from_secs_f64(missing / self.per_second()))
    }

    pub(super) fn take(&mut self, cost: f64) {
        self.level -= cost;
    }

    pub(super) fn take_what_is_left(&mut self, cost: f64) {
        self.level -= cost.min(self.level.max(0.0));
    }

    /// Used of the minute's limit, in whole units.
    pub(super) fn used(&self) -> u64 {
        whole(self.capacity - self.level)
    }

    pub(super) fn standing(&self) -> Meter {
        let missing = self.capacity - self.level;
        Meter {
            limit: self.limit,
            remaining: u64::from(self.limit).saturating_sub(self.used()),
            reset: Duration::from_secs_f64(missing.max(0.0) / self.per_second()),
        }
    }
}

/// A part of a unit counts as a whole one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
fn whole(number: f64) -> u64 {
    (number - 1e-6).ceil().clamp(0.0, 1e15) as u64
}
