//! Hands ready tasks to workers: decide, commit the claims, start.

use std::{collections::HashMap, sync::Arc, time::Duration};

use taskfleet_core::{
    TaskId,
    machine::{Event, Refusal},
    task::{TaskRecord, TaskSpec},
};
use taskfleet_store::{Applied, StoreError};

use crate::{
    board::{Assignment, Slot},
    engine::Engine,
};

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
        refill(&engine).await;
        let assignments = engine.board.assign(engine.time.now(), BATCH);
        if assignments.is_empty() {
            wait(&engine).await;
        } else if let Err(error) = dispatch(&engine, assignments).await {
            tracing::error!(%error, "could not claim tasks, trying again");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            engine.board.expect_more();
        }
    }
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

/// Fetches what lies in the store only, when the window runs low.
async fn refill(engine: &Engine) {
    let Some(wanted) = engine.board.wants() else { return };
    match engine.store.ready(engine.time.now(), wanted).await {
        Ok(records) => {
            let whole = records.len() < wanted;
            engine.board.refill(&records, whole);
        }
        Err(error) => tracing::error!(%error, "could not read the queue, trying again"),
    }
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
    let results = engine.apply(claims.collect()).await?;
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
    let mut specs = fetch(engine, missing).await;
    for (record, slot, spec) in claimed {
        if let Some(spec) = spec.or_else(|| specs.remove(&record.id).map(Arc::new)) {
            engine.start(&record, spec, slot);
        } else {
            let event = Event::NotStarted { lease: record.lease };
            engine.apply_surely(vec![engine.change(record.id, event)]).await;
        }
    }
}

async fn fetch(engine: &Engine, tasks: Vec<TaskId>) -> HashMap<TaskId, TaskSpec> {
    if tasks.is_empty() {
        return HashMap::new();
    }
    match engine.store.specs(tasks).await {
        Ok(specs) => specs.into_iter().collect(),
        Err(error) => {
            tracing::error!(%error, "could not read what claimed tasks ask for");
            HashMap::new()
        }
    }
}
