//! Finds what notifications missed: memory is a cache, the store is the truth.

use std::{collections::HashSet, sync::Arc, time::Duration};

use taskfleet_core::{Lease, TaskId, adoption::Held, machine::Event};
use taskfleet_store::{Running, StoreError};

use crate::{
    engine::Engine,
    fleet::{LinkState, Verdict},
};

/// A queued task expires within a second of its deadline.
const DEADLINES_EVERY: Duration = Duration::from_millis(500);
/// Tasks that expire in one transaction at most.
const BATCH: usize = 1_000;

/// Ends tasks whose deadline has passed, or that no worker takes, until the supervisor stops.
pub(crate) async fn deadlines(engine: Arc<Engine>) {
    while sleep(&engine, DEADLINES_EVERY).await {
        if let Err(error) = expire(&engine).await {
            tracing::error!(%error, "could not expire tasks, trying again");
        }
        // What the workers that are gone take is not known.
        if engine.stands_back() {
            continue;
        }
        if let Err(error) = fail_too_large(&engine).await {
            tracing::error!(%error, "could not end tasks that are too large, trying again");
        }
    }
}

/// Compares memory with the store, until the supervisor stops.
pub(crate) async fn differences(engine: Arc<Engine>) {
    while sleep(&engine, engine.settings.sweep()).await {
        if let Err(error) = compare(&engine).await {
            tracing::error!(%error, "could not compare memory with the store, trying again");
        }
    }
}

async fn sleep(engine: &Engine, period: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(period) => true,
        () = engine.tasks.stopping() => false,
    }
}

async fn expire(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let now = engine.time.now();
    if now.since(engine.time.started()) >= engine.settings.start_grace() {
        engine.awaited.end();
    }
    loop {
        let mut overdue = engine.store.overdue(engine.time.now(), BATCH).await?;
        let full = overdue.len() == BATCH;
        overdue.retain(|task| !engine.awaited.contains(*task));
        let more = full && !overdue.is_empty();
        if !overdue.is_empty() {
            let changes = overdue.into_iter().map(|task| engine.change(task, Event::Expire));
            engine.apply(changes.collect()).await?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// Workers that could run a task are there, and all of them take smaller requests only: as
/// long as an absent worker is waited for, another one may come.
async fn fail_too_large(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let patience = engine.settings.start_grace();
    let found = engine.board.too_large(engine.time.now(), patience);
    for tasks in found.chunks(BATCH) {
        let end = |(task, max_request_bytes): &(TaskId, u64)| {
            engine.change(*task, Event::TooLarge { max_request_bytes: *max_request_bytes })
        };
        engine.apply(tasks.iter().map(end).collect()).await?;
        // One that was refused has ended already, or runs: it does not wait here either way.
        tasks.iter().for_each(|(task, _)| engine.board.remove(*task));
    }
    Ok(())
}

async fn compare(engine: &Arc<Engine>) -> Result<(), StoreError> {
    engine.end_what_was_left().await;
    engine.board.recheck();
    engine.hub.prune(|task| engine.executions.drives(task));
    let driven = engine.executions.all();
    let rows = engine.store.running().await?;
    // What was driven before the rows were read and does not stand in them is over.
    let running: HashSet<(TaskId, Lease)> = rows.iter().map(|row| (row.id, row.lease)).collect();
    for over in driven.iter().filter(|held| !running.contains(&(held.task, held.lease))) {
        engine.executions.abandon(over.task, over.lease);
    }
    // Its workers are another's now: nothing that runs is believed to be lost.
    if engine.stands_back() {
        return Ok(());
    }
    let forgotten: Vec<Running> =
        rows.into_iter().filter(|row| !engine.executions.is_ours(held(row))).collect();
    let mut lost = Vec::new();
    for row in forgotten {
        match engine.fleet.member(row.holder.boot_id) {
            Some(member) if matches!(member.link_state(), LinkState::Up(_)) => {
                for over in engine.follow_again(&member, vec![held(&row)]).await {
                    member.settle(over, Verdict::Stale).await;
                }
            }
            // It is being dialled, and then says what it holds.
            Some(_) => {}
            None => lost.push(engine.change(row.id, Event::Lost { lease: row.lease })),
        }
    }
    if !lost.is_empty() {
        tracing::warn!(tasks = lost.len(), "running tasks without a worker are requeued");
        engine.apply(lost).await?;
    }
    Ok(())
}

fn held(row: &Running) -> Held {
    Held { task: row.id, lease: row.lease }
}
