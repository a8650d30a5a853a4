//! Every call after a task's first needs a reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    api::{Call, Ended},
    plan::{CallEnd, Host, Plan},
};

/// How long after a fault of the network a connection may still be deaf.
const DEAF_FOR: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// The API failed, in a way that is tried again.
    Api,
    /// The worker died, or was stopped and handed the task back.
    Worker,
    /// The worker was cut off.
    Network,
}

#[derive(Debug, Default)]
pub(super) struct Repeats {
    calls: usize,
    causes: BTreeMap<Cause, usize>,
    pub(super) wrong: Vec<String>,
}

pub(super) fn check(plan: &Plan, calls: &[Call]) -> Repeats {
    let mut repeats = Repeats { calls: calls.len(), ..Repeats::default() };
    let mut leases = BTreeSet::new();
    for call in calls {
        if !leases.insert((call.task, call.lease)) {
            let (task, lease) = (call.task, call.lease);
            repeats.wrong.push(format!("task {task} was called for twice under lease {lease:x}"));
        }
    }
    for task in 0..plan.tasks.len() {
        let of_task: Vec<&Call> = calls.iter().filter(|call| call.task == task).collect();
        for pair in of_task.windows(2) {
            repeats.judge(plan, pair[0], pair[1]);
        }
    }
    repeats
}

impl Repeats {
    fn judge(&mut self, plan: &Plan, first: &Call, second: &Call) {
        match cause(plan, first, second) {
            Some(cause) => *self.causes.entry(cause).or_default() += 1,
            None => self.wrong.push(format!(
                "task {} was called for again at {:.3} without a reason: its call before began at \
                 {:.3} on worker-{} and {:?}",
                first.task,
                second.began.as_secs_f64(),
                first.began.as_secs_f64(),
                first.worker,
                first.ended,
            )),
        }
    }

    pub(super) fn summary(&self) -> String {
        let causes: Vec<String> =
            self.causes.iter().map(|(cause, count)| format!("{count} by {cause:?}")).collect();
        format!("{} calls, repeats: {}", self.calls, causes.join(", "))
    }
}

fn cause(plan: &Plan, first: &Call, second: &Call) -> Option<Cause> {
    if let Some((_, Ended::Said(CallEnd::Broken | CallEnd::SlowDown(_)))) = first.ended {
        return Some(Cause::Api);
    }
    let worker = Host::Worker(first.worker);
    let between = |at: Duration| first.began <= at && at <= second.began;
    if plan.faults.iter().any(|(at, fault)| between(*at) && fault.ends(worker)) {
        return Some(Cause::Worker);
    }
    let may_be_deaf = |at: Duration| first.began <= at + DEAF_FOR && at <= second.began;
    let mut cut_off =
        plan.faults.iter().filter(|(_, fault)| fault.disturbs(Host::Supervisor, worker));
    if plan.loses_workers() && cut_off.any(|(at, _)| may_be_deaf(*at)) {
        return Some(Cause::Network);
    }
    None
}
