//! The brake: when much of the fleet falls silent at once, the fault lies more likely in
//! between than in so many workers, and to requeue their tasks would pay for all of them again.
//!
//! It acts on silence only: a connection that broke tells what it tells.

use std::sync::Arc;

use super::{LinkState, Member};
use crate::engine::Engine;

/// In smaller fleets two that die together are no sign of anything.
const LEAST_FLEET: usize = 4;
/// Rounds that are waited for more.
const ROUNDS: u32 = 2;

/// The brake on the verdicts about one worker.
#[derive(Default)]
pub(super) struct Brake {
    /// When the silence began that it acts on.
    since: Option<u64>,
    /// For how many rounds it has held in that.
    rounds: u32,
}

impl Brake {
    /// Whether to wait one round more before this worker is given up.
    pub(super) fn holds(&mut self, engine: &Arc<Engine>, member: &Member) -> bool {
        let (silent, fleet) = silent_with(engine, member);
        let holds = self.waits(member.silent_since(), is_much(silent, fleet));
        if holds {
            let worker = member.name();
            tracing::warn!(
                worker,
                silent,
                fleet,
                "much of the fleet is silent, waiting one round more"
            );
        }
        holds
    }

    /// Each silence is waited for anew.
    fn waits(&mut self, since: Option<u64>, is_much: bool) -> bool {
        if self.since != since {
            *self = Self { since, rounds: 0 };
        }
        let waits = is_much && self.rounds < ROUNDS;
        self.rounds += u32::from(waits);
        waits
    }
}

/// Half of the fleet or more.
const fn is_much(silent: usize, fleet: usize) -> bool {
    fleet >= LEAST_FLEET && 2 * silent >= fleet
}

/// How many fell silent in the same round as `member`, and of how many.
fn silent_with(engine: &Engine, member: &Member) -> (usize, usize) {
    let settings = &engine.settings;
    // Rounds of different workers are not in step.
    let round = (settings.probe_interval() + settings.probe_timeout()).as_micros();
    let mut up = engine.fleet.members();
    up.retain(|member| matches!(member.link_state(), LinkState::Up(_)));
    let since = member.silent_since();
    let together = |other: &&Arc<Member>| match (since, other.silent_since()) {
        (Some(since), Some(other)) => u128::from(since.abs_diff(other)) <= round,
        _ => false,
    };
    (up.iter().filter(together).count(), up.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_is_waited_for_twice() {
        let mut brake = Brake::default();
        for since in [Some(1), Some(2)] {
            assert!(!brake.waits(since, false));
            assert!(brake.waits(since, true) && brake.waits(since, true));
            assert!(!brake.waits(since, true));
        }
    }

    #[test]
    fn half_of_a_fleet_of_four_or_more_is_much() {
        assert!(is_much(2, 4) && is_much(4, 4) && is_much(3, 5));
        assert!(!is_much(1, 4) && !is_much(2, 5));
        assert!(!is_much(3, 3) && !is_much(1, 1), "a small fleet tells nothing");
    }
}
