//! Which promises held: each accepted task has one outcome, its own, and each repeated call is
//! put down to a fault that may repeat it.

use std::{collections::BTreeMap, time::Duration};

use taskfleet_core::Lease;
use taskfleet_proto::v1::{AttemptEnd, TaskState};

use crate::chaos::{
    history::{Attempt, Fault, History},
    kind::Cause,
};

/// A promise that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The task that shows it, where it is one.
    pub(crate) task: Option<String>,
    /// What is wrong, in words.
    pub(crate) words: String,
}

/// What one cause has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Calls that were made again because of it.
    pub(crate) repeated: usize,
    /// Executions that its faults found at their workers: repeats are at most these.
    pub(crate) found: usize,
}

/// What the histories of a run say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) costs: BTreeMap<Cause, Cost>,
    /// Repeated calls that are put down to nothing.
    pub(crate) unattributed: usize,
    pub(crate) broken: Vec<Broken>,
}

/// How soon a worker that was silent, or that ended, is given up at the latest: three probes
/// and a redial began before it was back.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(3);
/// The same when a supervisor was away meanwhile: its successor looks for the worker for the
/// start grace of fifteen seconds.
const GIVEN_UP_BY_SUCCESSOR_WITHIN: Duration = Duration::from_secs(20);

/// Judges the histories of all accepted tasks after the faults that have struck.
pub(crate) fn judge(tasks: &[History], faults: &[Fault]) -> Judgement {
    let mut judgement = Judgement::default();
    for task in tasks {
        judgement.outcome_of(task);
        judgement.calls_of(task, faults);
    }
    judgement.count_found(tasks, faults);
    judgement
}

impl Judgement {
    fn outcome_of(&mut self, task: &History) {
        if task.state != TaskState::Completed {
            self.breaks(task, format!("it did not complete: {}", task.state.as_str_name()));
        } else if !task.is_own {
            self.breaks(task, "its result is not the answer to its own prompt".into());
        } else if !task.calls.contains_key(&task.lease) {
            self.breaks(task, format!("no call was made under its lease {}", task.lease));
        }
    }

    fn calls_of(&mut self, task: &History, faults: &[Fault]) {
        for (lease, count) in &task.calls {
            if *count > 1 {
                self.unattributed += (*count - 1) as usize;
                self.breaks(task, format!("lease {lease} was called {count} times"));
            }
            if *lease != task.lease {
                self.repeat(task, *lease, faults);
            }
        }
    }

    /// A call whose outcome was not used: that of another lease was.
    fn repeat(&mut self, task: &History, lease: Lease, faults: &[Fault]) {
        let Some(attempt) = task.attempts.iter().find(|attempt| attempt.lease == lease) else {
            self.unattributed += 1;
            return self.breaks(task, format!("the call of lease {lease} is in no attempt"));
        };
        if !attempt.possibly_paid {
            self.breaks(task, format!("the attempt of lease {lease} is not marked possibly paid"));
        }
        let Some(cause) = cause(attempt, faults) else {
            self.unattributed += 1;
            let words = format!("the repeat of the call of lease {lease} has no cause");
            return self.breaks(task, words);
        };
        self.costs.entry(cause).or_default().repeated += 1;
        if cause == Cause::Supervisor {
            let words = format!("the call of lease {lease} was repeated by the supervisor's fault");
            self.breaks(task, words);
        }
    }

    fn count_found(&mut self, tasks: &[History], faults: &[Fault]) {
        let attempts = || tasks.iter().flat_map(|task| &task.attempts);
        for fault in faults {
            if let Some(cause) = fault.kind.cause() {
                let found = attempts().filter(|attempt| attempt.was_there(fault)).count();
                self.costs.entry(cause).or_default().found += found;
            }
        }
    }

    fn breaks(&mut self, task: &History, words: String) {
        self.broken.push(Broken { task: Some(task.id.clone()), words });
    }
}

/// What a wasted call is put down to: a fault of its worker that found it there and ends an
/// execution in the way in which this one ended; else the supervisor, if it was struck
/// meanwhile.
fn cause(attempt: &Attempt, faults: &[Fault]) -> Option<Cause> {
    let near =
        |fault: &&Fault| attempt.was_there(fault) && gives_up_in_time(attempt, fault, faults);
    let causes = faults.iter().filter(near).filter(|fault| ends_so(attempt, fault, faults));
    let workers = causes.filter_map(|fault| fault.kind.cause()).min();
    workers.or_else(|| supervisor_struck(attempt, faults).then_some(Cause::Supervisor))
}

/// Whether such a fault ends executions in this way.
fn ends_so(attempt: &Attempt, fault: &Fault, faults: &[Fault]) -> bool {
    match (fault.kind.cause(), attempt.end) {
        (Some(Cause::WorkerDeath | Cause::StallOrCutOff), AttemptEnd::WorkerLost) => true,
        (Some(Cause::HandBack), AttemptEnd::Requeued) => true,
        // With nobody there to take it back, what it handed back was lost with it.
        (Some(Cause::HandBack), AttemptEnd::WorkerLost) => supervisor_away(fault, faults),
        _ => false,
    }
}

fn gives_up_in_time(attempt: &Attempt, fault: &Fault, faults: &[Fault]) -> bool {
    let within = if supervisor_struck(attempt, faults) {
        GIVEN_UP_BY_SUCCESSOR_WITHIN
    } else {
        GIVEN_UP_WITHIN
    };
    attempt.ended <= fault.healed + within
}

fn supervisor_struck(attempt: &Attempt, faults: &[Fault]) -> bool {
    let supervisors = faults.iter().filter(|fault| fault.kind.is_supervisors());
    supervisors.into_iter().any(|fault| fault.overlaps(attempt.started, attempt.ended))
}

fn supervisor_away(fault: &Fault, faults: &[Fault]) -> bool {
    let supervisors = faults.iter().filter(|other| other.kind.is_supervisors());
    supervisors.into_iter().any(|other| other.overlaps(fault.began, fault.healed))
}
