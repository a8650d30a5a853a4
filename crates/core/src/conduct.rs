//! How a worker's executions end, and what follows for the worker: one whose calls fail
//! before they reach a model fails fastest, is free most often, and would attract all work.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Instant,
    failure::{Delivery, FailureKind},
    outcome::{End, Outcome},
    retry::{Jitter, exponential},
};

/// Executions in a row that fail for a reason of the worker's own before it is set aside.
pub const FAILURES_TO_SET_ASIDE: u32 = 5;
/// The first pause; it doubles as long as each pause is followed by another failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: as long as a mended worker may go unnoticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Of a failure's words this much is kept, in bytes: they stand in lists and log lines.
const MAX_WORDS: usize = 300;

/// Why a worker is set aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// From there the model API cannot be reached. What the last call failed with, in the
    /// worker's words, at most 300 bytes of them: it names the host.
    Connection(Arc<str>),
    /// The model API refuses the key that is used there.
    Authentication,
    /// It does not know something that tasks need.
    Unimplemented,
    /// A supervisor of another store has taken it over.
    OtherStore,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection(words) if !words.is_empty() => {
                return write!(f, "its last calls could not reach the model API: {words}");
            }
            Self::Connection(_) => "its last calls could not reach the model API",
            Self::Authentication => "the model API refused the key of its last calls",
            Self::OtherStore => "a supervisor of another store has taken it over",
            Self::Unimplemented => "it does not know what tasks need",
        })
    }
}

/// What a worker may get now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowance {
    /// As much as it has slots.
    All,
    /// One task, to see whether it works again.
    One(Cause),
    /// Nothing for so long.
    Nothing(Cause, Duration),
}

/// What is known of one worker.
#[derive(Debug, Clone, Default)]
pub struct Conduct {
    /// Failures of its own in a row.
    failures: u32,
    /// Pauses in a row.
    pauses: u32,
    aside: Option<Aside>,
}

#[derive(Debug, Clone)]
struct Aside {
    cause: Cause,
    since: Instant,
    until: Instant,
}

/// What an outcome says of the worker rather than of its task.
enum Says {
    Bad(Cause),
    Good,
    Nothing,
}

impl Conduct {
    /// What the worker may get now.
    #[must_use]
    pub fn allowance(&self, now: Instant) -> Allowance {
        match &self.aside {
            None => Allowance::All,
            Some(aside) if now < aside.until => {
                Allowance::Nothing(aside.cause.clone(), aside.until.since(now))
            }
            Some(aside) => Allowance::One(aside.cause.clone()),
        }
    }

    /// An execution that began at `began` has ended. Returns how long the worker is set aside
    /// for, when it is.
    pub fn ended(
        &mut self,
        outcome: &Outcome,
        began: Instant,
        now: Instant,
        jitter: Jitter,
    ) -> Option<Duration> {
        // One of many that ran when the worker was set aside tells of the time before that.
        if self.aside.as_ref().is_some_and(|aside| began < aside.since) {
            return None;
        }
        match says(outcome) {
            Says::Good => {
                *self = Self::default();
                None
            }
            Says::Nothing => None,
            Says::Bad(cause) => {
                self.failures += 1;
                let enough = self.failures >= FAILURES_TO_SET_ASIDE || self.aside.is_some();
                enough.then(|| self.set_aside(cause, now, jitter)).flatten()
            }
        }
    }

    /// It refused a task that it does not understand; see [`Conduct::ended`].
    pub fn not_understood(&mut self, now: Instant, jitter: Jitter) -> Option<Duration> {
        self.set_aside(Cause::Unimplemented, now, jitter)
    }

    /// It refused a task because it serves another store; see [`Conduct::ended`].
    pub fn taken_over(&mut self, now: Instant, jitter: Jitter) -> Option<Duration> {
        self.set_aside(Cause::OtherStore, now, jitter)
    }

    fn set_aside(&mut self, cause: Cause, now: Instant, jitter: Jitter) -> Option<Duration> {
        if self.aside.as_ref().is_some_and(|aside| now < aside.until) {
            return None;
        }
        self.pauses += 1;
        let pause = jitter.upper_half(exponential(FIRST_PAUSE, LONGEST_PAUSE, self.pauses));
        self.aside = Some(Aside { cause, since: now, until: now + pause });
        Some(pause)
    }
}

fn says(outcome: &Outcome) -> Says {
    let End::Failed(failure) = &outcome.end else {
        let completed = matches!(outcome.end, End::Completed(_));
        return if completed { Says::Good } else { Says::Nothing };
    };
    match (failure.kind, outcome.call.delivery) {
        (FailureKind::Connection, _) => Says::Bad(Cause::Connection(beginning(&failure.message))),
        (FailureKind::Authentication, _) => Says::Bad(Cause::Authentication),
        // It did not come as far as the model API.
        (_, Delivery::NotSent) => Says::Nothing,
        // The API was reached, and took the key: what went wrong is not the worker's.
        _ => Says::Good,
    }
}

fn beginning(words: &str) -> Arc<str> {
    words[..words.floor_char_boundary(MAX_WORDS)].into()
}

#[cfg(test)]
#[path = "conduct/tests.rs"]
mod tests;
