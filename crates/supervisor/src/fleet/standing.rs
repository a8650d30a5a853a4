//! Whether a worker gets new work, and if not, why: one order of reasons for the board, for
//! lists, and for whoever asks why a task waits.

use std::{collections::BTreeMap, time::Duration};

use taskfleet_core::conduct::{Allowance, Cause};
use taskfleet_proto::v1::WorkerState;

use super::{LinkState, Member};
use crate::engine::Engine;

/// Where a worker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Ready,
    /// Another supervisor of this store serves it.
    Superseded,
    /// Calls of others take all its slots.
    Taken,
    Gone,
    Redialled,
    Dialled,
    Silent,
    Drained,
    Stopping,
    NotServing,
    Unregistered,
    /// Nothing for so long.
    SetAside(Cause, Duration),
    /// One task, to see whether it works again.
    Probation(Cause),
}

impl Member {
    pub(crate) fn standing(&self, engine: &Engine) -> Standing {
        let known = self.description();
        match self.link_state() {
            LinkState::Gone => Standing::Gone,
            LinkState::Connecting if self.heard_micros() > 0 => Standing::Redialled,
            LinkState::Connecting => Standing::Dialled,
            LinkState::Up(_) if engine.stands_back() => Standing::Superseded,
            LinkState::Up(_) if self.is_drained() => Standing::Drained,
            LinkState::Up(_) if known.draining || self.is_leaving() => Standing::Stopping,
            LinkState::Up(_) if self.silent_since().is_some() => Standing::Silent,
            LinkState::Up(_) if !self.is_serving() => Standing::NotServing,
            LinkState::Up(_) if known.slots == 0 => Standing::Unregistered,
            LinkState::Up(_) if known.taken >= known.slots => Standing::Taken,
            LinkState::Up(_) => match self.allowance(engine) {
                Allowance::All => Standing::Ready,
                Allowance::One(cause) => Standing::Probation(cause),
                Allowance::Nothing(cause, left) => Standing::SetAside(cause, left),
            },
        }
    }
}

impl Standing {
    pub(crate) fn takes_work(&self) -> bool {
        matches!(self, Self::Ready | Self::Probation(_))
    }

    pub(crate) fn is_probation(&self) -> bool {
        matches!(self, Self::Probation(_))
    }

    pub(crate) fn state(&self) -> WorkerState {
        match self {
            Self::Ready | Self::Taken => WorkerState::Ready,
            Self::Gone => WorkerState::Lost,
            Self::Redialled | Self::Silent => WorkerState::Suspect,
            Self::Dialled | Self::Unregistered => WorkerState::Connecting,
            Self::Drained | Self::Stopping => WorkerState::Draining,
            Self::NotServing | Self::Superseded => WorkerState::NotServing,
            Self::SetAside(..) | Self::Probation(_) => WorkerState::SetAside,
        }
    }

    /// Why it gets nothing new, in words; nothing for one that is ready.
    pub(crate) fn detail(&self) -> String {
        let words = match self {
            Self::Ready => "",
            Self::Superseded => "a supervisor with a later epoch of this store serves the workers",
            Self::Taken => "all its slots run calls of another store or of other clients",
            Self::Gone => "its process is gone",
            Self::Redialled => "its connection broke; it is being dialled",
            Self::Dialled => "it is being dialled",
            Self::Silent => "it did not answer its last probe; it gets nothing new until it does",
            Self::Drained => "drained by an operator; it ends what it runs and gets nothing new",
            Self::Stopping => "it is stopping; it ends what it runs and takes nothing new",
            Self::NotServing => "it says that it is not ready",
            Self::Unregistered => "it ends what it ran; it has not registered again yet",
            Self::SetAside(cause, left) => {
                let seconds = left.as_secs() + 1;
                return format!("{cause}; it is tried again with one task within {seconds} s");
            }
            Self::Probation(cause) => {
                return format!("{cause}; it gets one task at a time until one shows otherwise");
            }
        };
        words.to_owned()
    }

    /// The same as one of many.
    fn in_short(&self) -> String {
        let words = match self {
            Self::Ready => "ready",
            Self::Superseded => "left to a supervisor with a later epoch of this store",
            Self::Taken => "busy with calls of another store or of other clients",
            Self::Gone => "gone",
            Self::Redialled | Self::Dialled => "being dialled",
            Self::Silent => "silent",
            Self::Drained => "drained by an operator",
            Self::Stopping => "stopping",
            Self::NotServing => "not ready by its own word",
            Self::Unregistered => "not registered again yet",
            Self::SetAside(cause, _) | Self::Probation(cause) => {
                return format!("set aside ({cause})");
            }
        };
        words.to_owned()
    }
}

/// How many addresses are named of those where nobody answers.
const NAMED: usize = 3;

/// Why nobody takes work: the workers by where they stand, and the addresses where none
/// answers, each with why.
pub(crate) fn why_none_is_ready(standings: &[Standing], away: &[(String, String)]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for standing in standings {
        *counts.entry(standing.in_short()).or_default() += 1;
    }
    let counts = counts.into_iter().map(|(words, count)| format!("{count} {words}"));
    let reasons: Vec<String> = counts.chain(who_is_away(away)).collect();
    if reasons.is_empty() {
        return "no worker is ready: none is registered".to_owned();
    }
    format!("no worker is ready: {}", reasons.join(", "))
}

/// Addresses where none answers, in words; not all of many.
pub(crate) fn who_is_away(away: &[(String, String)]) -> Vec<String> {
    let named = away.iter().take(NAMED);
    let mut words: Vec<String> =
        named.map(|(address, why)| format!("worker {address} is down ({why})")).collect();
    if away.len() > NAMED {
        words.push(format!("{} more are down", away.len() - NAMED));
    }
    words
}

/// When the first of those that are set aside is tried again: in so long.
pub(crate) fn next_trial(standings: &[Standing]) -> Option<Duration> {
    let left = standings.iter().filter_map(|standing| match standing {
        Standing::SetAside(_, left) => Some(*left),
        _ => None,
    });
    left.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_could_work_is_told_of_and_why_they_do_not() {
        let aside = |seconds| {
            let cause = Cause::Connection("no host".into());
            Standing::SetAside(cause, Duration::from_secs(seconds))
        };
        let down = |n: u32| (format!("host-{n}:1"), "nobody listens at its address".to_owned());
        assert_eq!(why_none_is_ready(&[], &[]), "no worker is ready: none is registered");
        let one = why_none_is_ready(&[aside(9), aside(5), Standing::Drained], &[down(1)]);
        assert_eq!(
            one,
            "no worker is ready: 1 drained by an operator, 2 set aside (its last calls could not \
             reach the model API: no host), worker host-1:1 is down (nobody listens at its address)"
        );
        let many: Vec<_> = (0..9).map(down).collect();
        assert!(why_none_is_ready(&[], &many).ends_with("), 6 more are down"));
        assert_eq!(
            next_trial(&[aside(9), Standing::Ready, aside(5)]),
            Some(Duration::from_secs(5))
        );
    }
}
