//! How long it took from a fault until the work went on.

use std::{collections::BTreeSet, time::Duration};

use taskfleet_core::Timestamp;
use taskfleet_proto::v1::AttemptEnd;

use crate::chaos::{
    history::{Attempt, Fault, History},
    kind::Kind,
    plan::Target,
};

/// Times of one sort, and what was promised of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delays {
    /// From what to what.
    pub(crate) words: &'static str,
    /// Shortest first.
    pub(crate) times: Vec<Duration>,
    pub(crate) goal: Goal,
}

/// What was promised of such times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Goal {
    /// Half of them are shorter.
    pub(crate) median: Option<Duration>,
    /// All of them are shorter.
    pub(crate) maximum: Option<Duration>,
}

impl Delays {
    fn new(words: &'static str, mut times: Vec<Duration>, goal: Goal) -> Self {
        times.sort();
        Self { words, times, goal }
    }

    pub(crate) fn median(&self) -> Option<Duration> {
        self.times.get(self.times.len() / 2).copied()
    }

    pub(crate) fn maximum(&self) -> Option<Duration> {
        self.times.last().copied()
    }

    /// Whether the goal was met; `None` without a goal or a time.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let within = |time: Option<Duration>, goal: Option<Duration>| Some(time? < goal?);
        let met =
            [within(self.median(), self.goal.median), within(self.maximum(), self.goal.maximum)];
        met.into_iter().flatten().reduce(|one, other| one && other)
    }
}

/// The delays of a run. A worker's fault counts where the supervisor was not away as well,
/// which would be measured with it.
pub(crate) fn measure(tasks: &[History], faults: &[Fault]) -> Vec<Delays> {
    let run = Run { tasks, faults };
    let goal = |median: Option<u64>, maximum: u64| Goal {
        median: median.map(Duration::from_secs),
        maximum: Some(Duration::from_secs(maximum)),
    };
    let none = Goal::default();
    vec![
        Delays::new(
            "worker killed: its tasks started elsewhere",
            run.lost_to(Kind::WorkerKilled),
            goal(Some(1), 3),
        ),
        Delays::new(
            "worker hung: its tasks started elsewhere",
            run.lost_to(Kind::WorkerHung),
            goal(None, 8),
        ),
        Delays::new(
            "worker stalled: its tasks started elsewhere",
            run.lost_to(Kind::WorkerStalled),
            goal(None, 8),
        ),
        Delays::new(
            "worker cut off: its tasks started elsewhere",
            run.lost_to(Kind::WorkerCutOff),
            none,
        ),
        Delays::new("a task lost again, which pauses and runs alone", run.lost_again(), none),
        Delays::new(
            "supervisor killed: dispatching, from its process's start",
            run.after(Kind::SupervisorKilled, Run::dispatching),
            goal(None, 2),
        ),
        Delays::new(
            "supervisor killed: adopting, from its process's start",
            run.after(Kind::SupervisorKilled, Run::adopting),
            goal(None, 2),
        ),
        Delays::new(
            "supervisor killed: the last unharmed worker at work again",
            run.after(Kind::SupervisorKilled, Run::all_at_work),
            none,
        ),
        Delays::new(
            "supervisor restarted: the last unharmed worker at work again",
            run.after(Kind::SupervisorRestarted, Run::all_at_work),
            none,
        ),
    ]
}

struct Run<'a> {
    tasks: &'a [History],
    faults: &'a [Fault],
}

impl Run<'_> {
    /// From such a fault until each task that it was the first to lose was claimed again.
    fn lost_to(&self, kind: Kind) -> Vec<Duration> {
        let faults = self.faults.iter().filter(|fault| fault.kind == kind);
        faults.flat_map(|fault| self.lost(fault, |losses| losses == 0)).collect()
    }

    fn lost_again(&self) -> Vec<Duration> {
        self.faults.iter().flat_map(|fault| self.lost(fault, |losses| losses > 0)).collect()
    }

    fn lost(&self, fault: &Fault, counts: impl Fn(usize) -> bool) -> Vec<Duration> {
        let mut times = Vec::new();
        for task in self.tasks {
            let losses = task.attempts.iter().filter(|each| each.end == AttemptEnd::WorkerLost);
            for (before, lost) in losses.enumerate() {
                if !lost.was_there(fault) || !counts(before) {
                    continue;
                }
                if let Some(next) = task.next_after(lost.lease)
                    && !self.supervisor_away(fault.began, next.started)
                {
                    // Of what was sent to a silent worker the time begins with the sending.
                    times.push(next.started.since(fault.began.max(lost.started)));
                }
            }
        }
        times
    }

    fn supervisor_away(&self, from: Timestamp, to: Timestamp) -> bool {
        let mut supervisors = self.faults.iter().filter(|fault| fault.kind.is_supervisors());
        supervisors.any(|fault| fault.overlaps(from, to))
    }

    /// From the start of the supervisor's new process to what `until` finds.
    fn after(
        &self,
        kind: Kind,
        until: fn(&Self, &Fault, Timestamp) -> Option<Timestamp>,
    ) -> Vec<Duration> {
        let faults = self.faults.iter().filter(|fault| fault.kind == kind);
        faults
            .filter_map(|fault| {
                let started = fault.started?;
                Some(until(self, fault, started)?.since(started))
            })
            .collect()
    }

    /// The first claim of the new process.
    fn dispatching(&self, _: &Fault, started: Timestamp) -> Option<Timestamp> {
        let claims = self.attempts().map(|attempt| attempt.started);
        claims.filter(|claim| *claim >= started).min()
    }

    /// The first outcome that the new process settled of what was claimed before it.
    fn adopting(&self, fault: &Fault, started: Timestamp) -> Option<Timestamp> {
        let before = self.attempts().filter(|attempt| is_adopted(attempt, fault, started));
        before.map(|attempt| attempt.ended).min()
    }

    /// When the last of the workers that nothing happened to had an outcome settled or a task
    /// claimed for it.
    fn all_at_work(&self, fault: &Fault, started: Timestamp) -> Option<Timestamp> {
        let workers: BTreeSet<Target> = self.attempts().map(|attempt| attempt.worker).collect();
        let window = (fault.began, started + Duration::from_secs(5));
        let unharmed = workers.into_iter().filter(|worker| {
            let mut own = self.faults.iter().filter(|other| other.target == *worker);
            !own.any(|other| other.overlaps(window.0, window.1))
        });
        unharmed.filter_map(|worker| self.first_sign(worker, fault, started)).max()
    }

    fn first_sign(&self, worker: Target, fault: &Fault, started: Timestamp) -> Option<Timestamp> {
        let own = self.attempts().filter(|attempt| attempt.worker == worker);
        let signs = own.filter_map(|attempt| {
            if attempt.started >= started {
                return Some(attempt.started);
            }
            is_adopted(attempt, fault, started).then_some(attempt.ended)
        });
        signs.min()
    }

    fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.tasks.iter().flat_map(|task| &task.attempts)
    }
}

fn is_adopted(attempt: &Attempt, fault: &Fault, started: Timestamp) -> bool {
    let completed = attempt.end == AttemptEnd::Completed;
    completed && attempt.started <= fault.began && attempt.ended >= started
}
