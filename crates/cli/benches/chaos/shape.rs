//! How large a run is, and whether its numbers go together.

use std::time::Duration;

use crate::chaos::kind::{Cause, Kind};

/// The numbers that a run is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// Faults and load are drawn from it.
    pub(crate) seed: u64,
    /// Submitted evenly over the whole time.
    pub(crate) tasks: u32,
    /// How long tasks are submitted and faults strike.
    pub(crate) lasts: Duration,
    pub(crate) workers: usize,
    /// Of each worker.
    pub(crate) slots: u32,
    /// From one fault to the next, on average.
    pub(crate) every: Duration,
    /// How long an ordinary call takes.
    pub(crate) call: Duration,
}

/// Every tenth call takes so many times as long as an ordinary one …
pub(crate) const LONG_CALL: u32 = 3;
/// … which makes this the average.
const AVERAGE_CALL: f64 = 1.2;
/// Calls that keep this share of the slots busy find room when a quarter of the workers hang.
const BUSY: f64 = 0.5;
const MAX_BUSY: f64 = 0.7;
const SHORTEST_CALL: Duration = Duration::from_millis(10);
const LONGEST_CALL: Duration = Duration::from_secs(1);
/// Innocent tasks that may be expected to fail by five losses, in all of a run.
const MAX_INNOCENT: f64 = 0.01;
/// Losses that end a task.
const FATAL_LOSSES: i32 = 5;

impl Shape {
    /// Tasks a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.tasks) / self.lasts.as_secs_f64()
    }

    /// The call time that keeps about half of the slots busy.
    pub(crate) fn fitting_call(&self) -> Duration {
        let fitting = BUSY * self.all_slots() / (self.rate() * AVERAGE_CALL);
        let fitting = Duration::from_secs_f64(fitting).clamp(SHORTEST_CALL, LONGEST_CALL);
        Duration::from_millis(taskfleet_core::time::whole_millis(fitting))
    }

    /// Refuses numbers with which a broken promise would show nothing.
    ///
    /// # Errors
    /// Says which numbers do not go together, and what to change.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.workers < 4 {
            return Err("fewer than 4 workers: half of them must be unharmed at any time".into());
        }
        let busy = self.rate() * self.call.as_secs_f64() * AVERAGE_CALL / self.all_slots();
        if busy > MAX_BUSY {
            return Err(format!(
                "calls of {:?}, {:.1} a second, keep {:.0} % of all slots busy: what a fault \
                 takes would wait behind them; take shorter calls, or more workers or slots",
                self.call,
                self.rate(),
                busy * 100.0
            ));
        }
        let innocent = self.innocent_failures();
        if innocent > MAX_INNOCENT {
            return Err(format!(
                "a fault every {:?} among {:.1} tasks a second on workers of {} slots may lose \
                 every {:.0}th call: {innocent:.2} innocent tasks would be expected to be lost \
                 five times and fail; take rarer faults, more tasks a second, or fewer slots",
                self.every,
                self.rate(),
                self.slots,
                1.0 / self.loss()
            ));
        }
        Ok(())
    }

    /// Tasks that are expected to be lost five times though nothing is wrong with them.
    fn innocent_failures(&self) -> f64 {
        f64::from(self.tasks) * self.loss().powi(FATAL_LOSSES)
    }

    /// How likely a call is lost, at most: when each fault finds all slots of its worker busy.
    fn loss(&self) -> f64 {
        let calls_between_faults = self.rate() * self.every.as_secs_f64();
        (losing_share() * f64::from(self.slots) / calls_between_faults).min(1.0)
    }

    fn all_slots(&self) -> f64 {
        f64::from(self.slots) * self.workers as f64
    }
}

/// The share of faults that count as the loss of a worker.
fn losing_share() -> f64 {
    let losing =
        |kind: &Kind| matches!(kind.cause(), Some(Cause::WorkerDeath | Cause::StallOrCutOff));
    let weights = |kinds: &mut dyn Iterator<Item = Kind>| -> u32 { kinds.map(Kind::weight).sum() };
    let all = weights(&mut Kind::ALL.into_iter());
    f64::from(weights(&mut Kind::ALL.into_iter().filter(losing))) / f64::from(all)
}
