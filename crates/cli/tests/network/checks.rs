//! What has to hold when all is over.

mod repeats;

use std::time::Duration;

use taskfleet_proto::{
    v1::{Task, TaskState},
    worker::FailureKind,
};

use crate::{
    client::Seen,
    plan::{CallEnd, Plan},
    world::Shared,
};

/// Losses that end a task.
const LOSSES: u32 = 5;

pub(crate) fn check(shared: &Shared, seen: &Seen, at: Duration) {
    let violated = |what: String| shared.journal.violation_at(at, what);
    let plan = &shared.plan;
    for task in 0..plan.tasks.len() {
        if let Err(wrong) = has_ended(plan, seen, task) {
            violated(format!("task {task} {wrong}"));
        }
    }
    let counts = shared.disk.counts();
    let ended = counts.completed + counts.failed + counts.cancelled;
    if (counts.queued, counts.running, ended) != (0, 0, plan.tasks.len() as u64) {
        violated(format!("of {} tasks the store has {counts:?}", plan.tasks.len()));
    }
    seen.held.iter().for_each(|held| violated(format!("{held} though everything has ended")));
    let repeats = repeats::check(plan, &shared.ledger.calls());
    repeats.wrong.iter().cloned().for_each(violated);
    shared.journal.note_at(at, format!("{} tasks, {}", plan.tasks.len(), repeats.summary()));
}

/// It has exactly one outcome, and that is its own.
fn has_ended(plan: &Plan, seen: &Seen, task: usize) -> Result<(), String> {
    let id = seen.accepted.get(&task).ok_or("was never accepted")?;
    let found = seen.tasks.get(&task).ok_or("is missing")?;
    let state = found.state();
    if seen.outcomes.get(id) != Some(&state) {
        return Err(format!("is {state:?}, its feed said {:?}", seen.outcomes.get(id)));
    }
    let was_cancelled = seen.cancels.get(&task).copied();
    if was_cancelled.is_some_and(|cancelled| cancelled != (state == TaskState::Cancelled)) {
        return Err(format!("is {state:?}, its cancel said otherwise"));
    }
    if is_its_own(plan, task, found) {
        return Ok(());
    }
    let (kind, counters) = (found.kind(), found.counters);
    Err(format!("ended as {state:?} ({kind:?}, {counters:?}), which is not its own outcome"))
}

fn is_its_own(plan: &Plan, task: usize, found: &Task) -> bool {
    let wanted = &plan.tasks[task];
    let last = wanted.last();
    match found.state() {
        TaskState::Completed => {
            let text = found.result.as_ref().map(|result| result.text.as_str());
            last.end == CallEnd::Answer && text == Some(&Plan::answer(task, last.pieces))
        }
        TaskState::Cancelled => wanted.cancel_after.is_some(),
        TaskState::Failed if found.kind() == FailureKind::InvalidRequest => {
            last.end == CallEnd::Refused
        }
        TaskState::Failed if found.kind() == FailureKind::WorkerLost => {
            plan.loses_workers() && found.counters.is_some_and(|c| c.worker_losses >= LOSSES)
        }
        _ => false,
    }
}
