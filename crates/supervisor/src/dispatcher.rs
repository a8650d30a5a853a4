//! Hands ready tasks to workers: decide, commit the claims, start.

mod fetch;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use taskfleet_core::{
    TaskId,
    failure::{Delivery, FailureKind},
    machine::{Event, Refusal},
    outcome::Outcome,
    task::{TaskRecord, TaskSpec},
};
use taskfleet_store::{Applied, StoreError};

use crate::{
    board::{Assignment, Slot},
    engine::Engine,
    pace::Pace,
};
use fetch::{Fetched, fetch};

/// Claims in one transaction at most.
const BATCH: usize = 1_024;
/// How long after a failed write or read the dispatcher waits.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);
/// The longest that the dispatcher sleeps, whatever it was told: notifications are for
/// speed only.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Dispatches until the supervisor stops.
pub(crate) async fn run(engine: Arc<Engine>) {
    while !engine.tasks.is_stopping() {
        engine.turns.fetch_add(1, Ordering::Relaxed);
        if engine.stands_back() {
            rest(&engine).await;
            continue;
        }
        if let Err(error) = turn(&engine).await {
            tracing::error!(%error, "could not read the queue or claim tasks, trying again");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

/// Reads what is missing, a bounded part of it, and dispatches what can go; waits if there is
/// nothing of either.
async fn turn(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let read = look(engine).await? | refill(engine).await?;
    let assignments = engine.board.assign(engine.time.now(), BATCH);
    if !assignments.is_empty() {
        dispatch(engine, assignments).await?;
    } else if !read {
        wait(engine).await;
    }
    Ok(())
}

async fn wait(engine: &Engine) {
    let now = engine.time.now();
    let sleep = engine.board.next_due().map_or(LONGEST_SLEEP, |due| due.since(now));
    let sleep = sleep.clamp(Duration::from_millis(1), LONGEST_SLEEP);
    tokio::select! {
        () = engine.board.changed() => {}
        () = tokio::time::sleep(sleep) => {}
        () = engine.tasks.stopping() => {}
    }
}

/// Another supervisor hands out the work: this one only shows that it could.
async fn rest(engine: &Engine) {
    tokio::select! {
        () = tokio::time::sleep(LONGEST_SLEEP) => {}
        () = engine.tasks.stopping() => {}
    }
}

/// Finds lanes that lie in the store only; whether any were to be looked for.
async fn look(engine: &Engine) -> Result<bool, StoreError> {
    let Some(read) = engine.board.wants_lanes() else { return Ok(false) };
    let lanes = engine.store.lanes(read.after.clone(), read.limit).await?;
    engine.board.found(&read, lanes);
    Ok(true)
}

/// Fetches tasks of lanes that run low; whether any were to be fetched.
async fn refill(engine: &Engine) -> Result<bool, StoreError> {
    let now = engine.time.now();
    let reads = engine.board.wants_tasks(now);
    if reads.is_empty() {
        return Ok(false);
    }
    match engine.store.ready(reads.clone(), now).await {
        Ok(rows) => engine.board.read(reads, rows),
        Err(error) => {
            engine.board.not_read(&reads);
            return Err(error);
        }
    }
    Ok(true)
}

/// Commits the claims, then starts what was claimed. On an error nothing was claimed, and
/// the tasks are still in the store.
async fn dispatch(engine: &Arc<Engine>, assignments: Vec<Assignment>) -> Result<(), StoreError> {
    let tasks: Vec<TaskId> = assignments.iter().map(|assignment| assignment.task).collect();
    let marked = engine.executions.claiming(tasks);
    let epoch = engine.store.identity().epoch;
    let claims = assignments.iter().map(|assignment| {
        let holder = assignment.slot.holder.clone();
        engine.change(assignment.task, Event::Claim { holder, epoch })
    });
    let results = match engine.apply(claims.collect()).await {
        Ok(results) => results,
        Err(error) => {
            let lanes: Vec<_> = assignments.into_iter().map(|assigned| assigned.lane).collect();
            engine.board.put_back(&lanes);
            return Err(error);
        }
    };
    let claimed = assignments.into_iter().zip(results).filter_map(claimed).collect();
    start_all(engine, claimed).await;
    drop(marked);
    Ok(())
}

type Claimed = (TaskRecord, Slot, Option<Arc<TaskSpec>>);

/// A task that was cancelled or ran out of time meanwhile is refused: its slot is given back.
fn claimed((assignment, result): (Assignment, Result<Applied, Refusal>)) -> Option<Claimed> {
    Some((result.ok()?.record, assignment.slot, assignment.spec))
}

async fn start_all(engine: &Arc<Engine>, claimed: Vec<Claimed>) {
    let missing = claimed.iter().filter(|(_, _, spec)| spec.is_none());
    let missing: Vec<TaskId> = missing.map(|(record, ..)| record.id).collect();
    let mut specs = fetch(|tasks| engine.store.specs(tasks), missing).await;
    let mut pace = Pace::default();
    for (record, slot, spec) in claimed {
        pace.step().await;
        match spec.map_or_else(|| specs.take(record.id), Fetched::Read) {
            Fetched::Read(spec) => engine.start(&record, spec, slot),
            Fetched::Unknown => {
                let event = Event::NotStarted { lease: record.lease };
                engine.apply_surely(vec![engine.change(record.id, event)]).await;
            }
            Fetched::Unreadable => {
                drop(slot);
                let event = Event::Ended { lease: record.lease, outcome: unreadable() };
                engine.apply_surely(vec![engine.change(record.id, event)]).await;
            }
        }
    }
}

/// An attempt, so that a fault that passes costs a pause, and one that stays ends the task.
fn unreadable() -> Outcome {
    let words = "what the task asks for cannot be read from the store; its row may be damaged";
    Outcome::failed(FailureKind::Internal, Delivery::NotSent, words)
}
