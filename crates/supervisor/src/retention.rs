//! Takes ended tasks out of the store when they have been kept long enough, a little at a
//! time: clients' submissions go before.

use std::{sync::Arc, time::Duration};

use taskfleet_core::Timestamp;
use taskfleet_store::StoreError;

use crate::engine::Engine;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Rows that are deleted in one transaction at most, and tasks that are looked at for it.
const STEP: usize = 1_000;
/// The shortest pause between two steps.
const PAUSE: Duration = Duration::from_millis(20);
/// A pause is at least so many times as long as the step before it, so that most of the
/// writer's time is left to others, whatever the disk.
const PAUSE_PER_STEP: u32 = 3;

/// Prunes until the supervisor stops.
pub(crate) async fn prune(engine: Arc<Engine>) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = engine.tasks.stopping() => return,
        }
        let began = tokio::time::Instant::now();
        pause = match step(&engine).await {
            Ok(0) => LOOK_EVERY.min(engine.settings.retention()),
            Ok(_) => PAUSE.max(began.elapsed() * PAUSE_PER_STEP),
            Err(error) => {
                tracing::error!(%error, "could not prune ended tasks, trying again");
                LOOK_EVERY
            }
        };
    }
}

/// Removes what is due, as much as fits into one step; says how many tasks were found due.
async fn step(engine: &Engine) -> Result<usize, StoreError> {
    let retention = engine.settings.retention().as_millis();
    let retention = u64::try_from(retention).unwrap_or(u64::MAX);
    let due_at = engine.time.now().unix_millis().saturating_sub(retention);
    let due = engine.store.ended_by(Timestamp::from_unix_millis(due_at), STEP).await?;
    let found = due.len();
    if found > 0 {
        let removed = engine.store.remove(due, STEP).await?;
        tracing::debug!(tasks = removed, "pruned ended tasks");
    }
    Ok(found)
}
