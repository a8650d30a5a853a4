//! Takes ended tasks out of the store when they have been kept long enough, a little at a
//! time: clients' submissions go before.

use std::{sync::Arc, time::Duration};

use taskfleet_core::Timestamp;
use taskfleet_store::StoreError;
use tokio::time::Instant;

use crate::engine::Engine;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Rows that are deleted in one transaction at most, and tasks that are looked at for it: about
/// sixty tasks, some 2 ms. A submission that comes meanwhile waits for all of it.
const STEP: usize = 250;
/// The shortest pause between two steps.
const PAUSE: Duration = Duration::from_millis(5);
/// A pause is at least so many times as long as the step before it, so that most of the
/// writer's time is left to others, whatever the disk.
const PAUSE_PER_STEP: u32 = 3;

/// How long it is remembered which outcomes lie in the future: their time may come, or the
/// clock be set right.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// Prunes until the supervisor stops.
pub(crate) async fn prune(engine: Arc<Engine>) {
    let mut passed = Passed::default();
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = engine.tasks.stopping() => return,
        }
        let began = Instant::now();
        pause = match step(&engine, &mut passed).await {
            Ok(Step::Rest) => LOOK_EVERY.min(engine.settings.retention()),
            Ok(Step::GoOn) => PAUSE.max(began.elapsed() * PAUSE_PER_STEP),
            Err(error) => {
                tracing::error!(%error, "could not prune ended tasks, trying again");
                LOOK_EVERY
            }
        };
    }
}

/// Whether there may be more to do at once.
enum Step {
    GoOn,
    Rest,
}

/// Up to which outcome all that are left ended under a clock that was in the future: what
/// ended after them is not to wait until their time comes.
#[derive(Default)]
struct Passed {
    after: u64,
    since: Option<Instant>,
}

impl Passed {
    fn after(&mut self) -> u64 {
        if self.since.is_some_and(|since| since.elapsed() > LOOK_AGAIN_AFTER) {
            *self = Self::default();
        }
        self.after
    }

    fn pass(&mut self, outcome: u64) {
        self.after = outcome;
        self.since.get_or_insert_with(Instant::now);
    }
}

/// Removes what is due, as much as fits into one step.
async fn step(engine: &Engine, passed: &mut Passed) -> Result<Step, StoreError> {
    let retention = engine.settings.retention().as_millis();
    let retention = u64::try_from(retention).unwrap_or(u64::MAX);
    let now = engine.time.now();
    let due_at = Timestamp::from_unix_millis(now.unix_millis().saturating_sub(retention));
    let after = passed.after();
    let page = engine.store.ended_by(due_at, after, STEP).await?;
    if !page.due.is_empty() {
        let removed = engine.store.remove(page.due, STEP).await?;
        tracing::debug!(tasks = removed, "pruned ended tasks");
        return Ok(Step::GoOn);
    }
    let Some(last) = page.more_after else { return Ok(Step::Rest) };
    // Of those that ended before now the first is not due, so those after it are not.
    if engine.store.ended_by(now, after, STEP).await?.due.is_empty() {
        passed.pass(last);
        return Ok(Step::GoOn);
    }
    Ok(Step::Rest)
}
