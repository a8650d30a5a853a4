//! How long a task waits before it is tried again.

use std::time::Duration;

use crate::{failure::FailureKind, limits};

/// A random number in 0..1, drawn by the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// From a number in 0..=1; anything else is moved to the nearer end.
    #[must_use]
    pub fn new(fraction: f64) -> Self {
        Self(if fraction.is_nan() { 1.0 } else { fraction.clamp(0.0, 1.0) })
    }

    /// Between half of the duration and all of it.
    pub(crate) fn upper_half(self, duration: Duration) -> Duration {
        duration.mul_f64(0.5 + self.0 / 2.0)
    }
}

/// How often and how fast failed attempts are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// 1 to 20.
    pub max_attempts: u32,
    /// The first pause; it doubles with each attempt.
    pub initial_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: limits::DEFAULT_ATTEMPTS,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
        }
    }
}

/// An overloaded provider is given this many times the ordinary pause.
const OVERLOADED_FACTOR: u32 = 4;
/// The longest pause after a throttle for which the provider named none.
const MAX_THROTTLE_BACKOFF: Duration = Duration::from_secs(60);

/// The longest pause after a hand-back or refusal.
const MAX_REQUEUE_BACKOFF: Duration = Duration::from_secs(10);
/// What is added at most to a pause that the provider asked for.
const SPREAD: Duration = Duration::from_millis(250);

impl RetryPolicy {
    /// The pause after the `nth` failed attempt (from 1), with full jitter: anything from
    /// zero up to the exponential pause, so that tasks which failed together come back
    /// apart (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
    #[must_use]
    pub fn after_attempt(&self, nth: u32, jitter: Jitter) -> Duration {
        exponential(self.initial_backoff, self.max_backoff, nth).mul_f64(jitter.0)
    }
}

/// The pause after the `nth` throttle (from 1): what the provider asked for, or an
/// exponential one with full jitter.
#[must_use]
pub fn after_throttle(
    kind: FailureKind,
    nth: u32,
    retry_after: Option<Duration>,
    jitter: Jitter,
) -> Duration {
    if let Some(asked) = retry_after {
        // A little on top, so that those who were told the same do not return together.
        let spread = SPREAD.mul_f64(jitter.0);
        // Who asks for no pause again and again gets a growing one all the same.
        let least = exponential(Duration::from_millis(50), Duration::from_secs(10), nth);
        return asked.min(limits::MAX_RETRY_AFTER).max(least) + spread;
    }
    let factor = if kind == FailureKind::Overloaded { OVERLOADED_FACTOR } else { 1 };
    exponential(Duration::from_secs(1) * factor, MAX_THROTTLE_BACKOFF, nth).mul_f64(jitter.0)
}

/// The pause after the `nth` worker loss: none after the first, for the task is most
/// likely innocent, then growing.
#[must_use]
pub fn after_loss(nth: u32) -> Duration {
    match nth.checked_sub(limits::LOSSES_TO_RUN_ALONE) {
        None => Duration::ZERO,
        Some(beyond) => exponential(Duration::from_secs(1), MAX_THROTTLE_BACKOFF, beyond + 1),
    }
}

/// The pause after the `nth` hand-back or refusal (from 1): none at first, for another
/// worker may have a slot at once, then growing, so that the limit against loops is not
/// used up while a fleet is merely full.
#[must_use]
pub fn after_requeue(nth: u32) -> Duration {
    match nth.checked_sub(3) {
        None => Duration::ZERO,
        Some(beyond) => exponential(Duration::from_millis(100), MAX_REQUEUE_BACKOFF, beyond + 1),
    }
}

/// The longest pause that a task can have been given whose last execution ended as `kind`.
///
/// A backoff that was stored by the wall clock is held to it when the store is opened: by a
/// clock that was set back meanwhile it would last as much longer.
#[must_use]
pub const fn longest(kind: Option<FailureKind>, policy: &RetryPolicy) -> Duration {
    match kind {
        None => MAX_REQUEUE_BACKOFF,
        Some(FailureKind::WorkerLost) => MAX_THROTTLE_BACKOFF,
        Some(
            FailureKind::RateLimited
            | FailureKind::Overloaded
            | FailureKind::QuotaExhausted
            | FailureKind::Connection,
        ) => limits::MAX_RETRY_AFTER.saturating_add(SPREAD),
        Some(_) => policy.max_backoff,
    }
}

pub(crate) fn exponential(initial: Duration, max: Duration, nth: u32) -> Duration {
    let doublings = nth.saturating_sub(1).min(30);
    initial.saturating_mul(1 << doublings).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Jitter = Jitter(1.0);

    #[test]
    fn attempts_back_off_exponentially_up_to_the_maximum() {
        let policy = RetryPolicy::default();
        let seconds = |nth| policy.after_attempt(nth, FULL).as_secs();
        assert_eq!([1, 2, 3, 7, 20, 4_000_000].map(seconds), [1, 2, 4, 60, 60, 60]);
        assert_eq!(policy.after_attempt(3, Jitter::new(0.0)), Duration::ZERO);
    }

    #[test]
    fn retry_after_is_honoured_up_to_ten_minutes() {
        let after = |asked| after_throttle(FailureKind::RateLimited, 1, Some(asked), Jitter(0.0));
        assert_eq!(after(Duration::from_millis(200)), Duration::from_millis(200));
        assert_eq!(after(Duration::from_secs(86_400)), limits::MAX_RETRY_AFTER);
    }

    #[test]
    fn an_empty_account_is_asked_again_at_least_every_minute() {
        let after = |nth| after_throttle(FailureKind::QuotaExhausted, nth, None, FULL).as_secs();
        assert_eq!([1, 2, 6, 7, 1_000].map(after), [1, 2, 32, 60, 60]);
    }

    #[test]
    fn no_pause_is_longer_than_the_longest_of_its_kind() {
        let policy =
            RetryPolicy { max_backoff: Duration::from_secs(300), ..RetryPolicy::default() };
        let day = Some(Duration::from_secs(86_400));
        let throttled = |kind, asked| after_throttle(kind, 1_000, asked, FULL);
        let pauses = [
            (None, after_requeue(20)),
            (Some(FailureKind::WorkerLost), after_loss(1_000)),
            (Some(FailureKind::RateLimited), throttled(FailureKind::RateLimited, day)),
            (Some(FailureKind::QuotaExhausted), throttled(FailureKind::QuotaExhausted, None)),
            (Some(FailureKind::ApiError), policy.after_attempt(1_000, FULL)),
        ];
        for (kind, pause) in pauses {
            assert!(pause <= longest(kind, &policy), "{kind:?}: {pause:?}");
        }
        assert_eq!(longest(Some(FailureKind::ApiError), &policy), policy.max_backoff);
    }

    #[test]
    fn the_first_loss_costs_no_time_and_later_ones_more_and_more() {
        assert_eq!([1, 2, 3, 4].map(|nth| after_loss(nth).as_secs()), [0, 1, 2, 4]);
    }
}
