//! What one seed does: who is there, what is asked for, what goes wrong and when. Pure: the
//! same family and seed are the same plan.

mod fault;
mod faults;

use std::time::Duration;

pub(crate) use fault::{Fault, Host};

use crate::chance::Chance;

/// Scenarios of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// The supervisor is killed, stopped, switched off; nothing else happens.
    SupervisorCrashes,
    /// Workers are.
    WorkerCrashes,
    /// Messages are slow and connections stand still for a while, never long enough for a
    /// verdict.
    Latency,
    /// Connections break, loudly.
    Resets,
    /// What is on its way gets lost, and with it connections; latencies jump.
    Loss,
    /// The network between supervisor and workers, or clients, is cut, both ways or one.
    Partitions,
    /// The clocks of supervisor and workers jump, and the supervisor is restarted.
    Clocks,
    /// All of it.
    Mixed,
}

impl Family {
    pub(crate) const ALL: [Self; 8] = [
        Self::SupervisorCrashes,
        Self::WorkerCrashes,
        Self::Latency,
        Self::Resets,
        Self::Loss,
        Self::Partitions,
        Self::Clocks,
        Self::Mixed,
    ];

    /// As the tests are called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SupervisorCrashes => "supervisor_crashes",
            Self::WorkerCrashes => "worker_crashes",
            Self::Latency => "latency",
            Self::Resets => "resets",
            Self::Loss => "loss",
            Self::Partitions => "partitions",
            Self::Clocks => "clocks",
            Self::Mixed => "mixed",
        }
    }

    /// Whether wall clocks jump. A throttle's backoff may then last ten minutes over a restart,
    /// the most that a Retry-After is believed.
    const fn has_jumps(self) -> bool {
        matches!(self, Self::Clocks | Self::Mixed)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

/// One seed's scenario.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) family: Family,
    pub(crate) seed: u64,
    /// The slots of each worker.
    pub(crate) workers: Vec<u32>,
    pub(crate) tasks: Vec<TaskPlan>,
    /// The longest way of a message, to begin with.
    pub(crate) latency: Duration,
    /// In the order of their times.
    pub(crate) faults: Vec<(Duration, Fault)>,
    /// From here on everything works.
    pub(crate) heal_at: Duration,
}

/// A task that a client hands in.
#[derive(Debug, Clone)]
pub(crate) struct TaskPlan {
    pub(crate) at: Duration,
    /// What the API does at the first call, the second, …; the last one goes for all further.
    pub(crate) calls: Vec<CallPlan>,
    /// How long after its submission the client wants no result any more.
    pub(crate) cancel_after: Option<Duration>,
    /// Whether a client follows it.
    pub(crate) watched: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct CallPlan {
    pub(crate) takes: Duration,
    /// Pieces of text that come on the way.
    pub(crate) pieces: u32,
    pub(crate) end: CallEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answer,
    /// 500.
    Broken,
    /// 429, with and without a Retry-After.
    SlowDown(Option<Duration>),
    /// 400: final.
    Refused,
}

/// Faults happen until then.
const HEAL_AT: Duration = Duration::from_secs(25);
/// Tasks arrive until then.
const SUBMIT_UNTIL_MS: u64 = 20_000;

impl Plan {
    pub(crate) fn new(family: Family, seed: u64) -> Self {
        let mut chance = Chance::of(seed, family.name());
        let workers: Vec<u32> =
            (0..2 + chance.below(3)).map(|_| chance.pick(&[1, 2, 4, 8])).collect();
        let mut tasks = Chance::of(seed, "tasks");
        let count = 20 + tasks.below(20);
        let faults = faults::of(family, seed, workers.len(), HEAL_AT);
        Self {
            family,
            seed,
            workers,
            tasks: (0..count).map(|_| TaskPlan::draw(&mut tasks, family)).collect(),
            latency: chance.millis(5, 60),
            faults,
            heal_at: HEAL_AT,
        }
    }

    /// Whether anything in it is, or looks like, the death of a worker.
    pub(crate) const fn loses_workers(&self) -> bool {
        use Family::{Clocks, Latency, Resets, SupervisorCrashes};
        !matches!(self.family, SupervisorCrashes | Latency | Resets | Clocks)
    }

    /// As it stands in the content of the task.
    pub(crate) fn content(task: usize) -> String {
        format!("task {task}")
    }

    /// Which task a content belongs to.
    pub(crate) fn task_of(content: &str) -> Option<usize> {
        content.strip_prefix("task ")?.parse().ok()
    }

    /// The whole text of the answer to a task.
    pub(crate) fn answer(task: usize, pieces: u32) -> String {
        (0..pieces.max(1)).map(|piece| format!("piece {piece} of {task}; ")).collect()
    }
}

impl TaskPlan {
    fn draw(chance: &mut Chance, family: Family) -> Self {
        let at = Duration::from_millis(chance.below(SUBMIT_UNTIL_MS));
        let mut calls = Vec::new();
        while calls.len() < 2 && chance.one_in(8) {
            let end = match chance.below(3) {
                _ if family.has_jumps() => CallEnd::Broken,
                0 => CallEnd::Broken,
                1 => CallEnd::SlowDown(None),
                _ => CallEnd::SlowDown(Some(chance.millis(100, 3_000))),
            };
            calls.push(CallPlan { takes: chance.millis(10, 1_000), pieces: 0, end });
        }
        calls.push(CallPlan::last(chance));
        let cancel_after = chance.one_in(12).then(|| chance.millis(0, 4_000));
        Self { at, calls, cancel_after, watched: chance.one_in(4) }
    }

    pub(crate) fn call(&self, nth: usize) -> CallPlan {
        self.calls[nth.min(self.calls.len() - 1)]
    }

    /// The call whose end is the task's.
    pub(crate) fn last(&self) -> CallPlan {
        self.call(usize::MAX)
    }
}

impl CallPlan {
    fn last(chance: &mut Chance) -> Self {
        let takes = match chance.below(10) {
            0 => chance.millis(5_000, 15_000),
            1..=3 => chance.millis(1_000, 5_000),
            _ => chance.millis(20, 1_000),
        };
        let end = if chance.one_in(20) { CallEnd::Refused } else { CallEnd::Answer };
        let pieces = u32::try_from(1 + chance.below(12)).expect("few");
        Self { takes, pieces, end }
    }
}
