//! What can be done to a fleet, and what each of it may cost.

use std::{ops::RangeInclusive, time::Duration};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// SIGKILL; started again after a while.
    WorkerKilled,
    /// SIGSTOP until long after it is given up, then SIGCONT.
    WorkerHung,
    /// SIGSTOP and SIGCONT before it can be given up.
    WorkerPaused,
    /// Its connections break, both ways, and new ones come to nothing for a while.
    WorkerCutOff,
    /// Its connections break, both ways, and new ones work.
    WorkerBlip,
    /// It cannot reach the supervisor for a while, which reaches it.
    WorkerUnheard,
    /// Not a byte comes through, both ways, and no connection breaks.
    WorkerStalled,
    /// SIGTERM with a grace that is longer than any call; started again.
    WorkerRestarted,
    /// SIGTERM with no grace at all: it hands back what it runs; started again.
    WorkerHandedBack,
    /// SIGKILL; started again after a while.
    SupervisorKilled,
    /// SIGTERM; started again.
    SupervisorRestarted,
    /// SIGSTOP, then SIGCONT.
    SupervisorPaused,
}

/// What a repeated call is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cause {
    /// The supervisor was killed, restarted or stopped. It must not cost a call.
    Supervisor,
    /// A worker was killed.
    WorkerDeath,
    /// A worker was stopped, cut off or stalled for so long that it was given up.
    StallOrCutOff,
    /// A worker was asked to stop and could not finish in its grace.
    HandBack,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 12] = [
        Self::WorkerKilled,
        Self::WorkerHung,
        Self::WorkerPaused,
        Self::WorkerCutOff,
        Self::WorkerBlip,
        Self::WorkerUnheard,
        Self::WorkerStalled,
        Self::WorkerRestarted,
        Self::WorkerHandedBack,
        Self::SupervisorKilled,
        Self::SupervisorRestarted,
        Self::SupervisorPaused,
    ];

    /// Its name in the table.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker killed",
            Self::WorkerHung => "worker hung",
            Self::WorkerPaused => "worker stopped for a moment",
            Self::WorkerCutOff => "worker cut off",
            Self::WorkerBlip => "worker's connections broken",
            Self::WorkerUnheard => "worker's way to the supervisor cut",
            Self::WorkerStalled => "worker's network stalled",
            Self::WorkerRestarted => "worker restarted",
            Self::WorkerHandedBack => "worker restarted without grace",
            Self::SupervisorKilled => "supervisor killed",
            Self::SupervisorRestarted => "supervisor restarted",
            Self::SupervisorPaused => "supervisor stopped for a while",
        }
    }

    /// Whether the supervisor is struck rather than a worker.
    pub(crate) const fn is_supervisors(self) -> bool {
        matches!(self, Self::SupervisorKilled | Self::SupervisorRestarted | Self::SupervisorPaused)
    }

    /// Whether the worker goes silent until it is given up.
    pub(crate) const fn is_silence(self) -> bool {
        matches!(self, Self::WorkerHung | Self::WorkerStalled)
    }

    /// What a call that it repeats is put down to; `None`: it may not repeat any.
    pub(crate) const fn cause(self) -> Option<Cause> {
        match self {
            Self::WorkerKilled => Some(Cause::WorkerDeath),
            Self::WorkerHung | Self::WorkerCutOff | Self::WorkerStalled => {
                Some(Cause::StallOrCutOff)
            }
            Self::WorkerHandedBack => Some(Cause::HandBack),
            Self::SupervisorKilled | Self::SupervisorRestarted | Self::SupervisorPaused => {
                Some(Cause::Supervisor)
            }
            Self::WorkerPaused | Self::WorkerBlip | Self::WorkerUnheard | Self::WorkerRestarted => {
                None
            }
        }
    }

    /// How often it is drawn, against the others.
    pub(crate) const fn weight(self) -> u32 {
        match self {
            Self::WorkerKilled => 4,
            Self::SupervisorKilled => 3,
            Self::WorkerPaused | Self::WorkerUnheard | Self::SupervisorPaused => 1,
            _ => 2,
        }
    }

    /// How long it lasts, before what was struck is woken, healed or started again. A worker is
    /// given up after three silent probes, two seconds apart: six seconds; a broken connection
    /// has two seconds to come back.
    pub(crate) const fn lasts_millis(self) -> RangeInclusive<u64> {
        match self {
            Self::WorkerKilled => 200..=2_500,
            Self::WorkerHung | Self::WorkerStalled => 8_500..=11_000,
            Self::WorkerPaused => 300..=2_500,
            Self::WorkerCutOff => 2_500..=6_000,
            Self::WorkerUnheard => 1_000..=8_000,
            Self::WorkerBlip | Self::WorkerRestarted | Self::WorkerHandedBack => 0..=0,
            Self::SupervisorKilled | Self::SupervisorRestarted => 0..=1_500,
            Self::SupervisorPaused => 500..=6_000,
        }
    }

    /// How long what was struck is left alone afterwards, so that the next fault finds it in
    /// its place again.
    pub(crate) const fn recovery(self) -> Duration {
        Duration::from_secs(if self.is_supervisors() { 4 } else { 3 })
    }
}

impl Cause {
    /// Every cause.
    pub(crate) const ALL: [Self; 4] =
        [Self::Supervisor, Self::WorkerDeath, Self::StallOrCutOff, Self::HandBack];

    /// Its name in the table.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor's death or stop",
            Self::WorkerDeath => "worker's death",
            Self::StallOrCutOff => "worker hung, stalled or cut off",
            Self::HandBack => "hand-back",
        }
    }
}
