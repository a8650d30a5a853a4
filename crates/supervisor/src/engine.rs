//! What every part of the supervisor shares, and the one way in which a change of a task
//! takes effect: it is applied in the store first, and only then in memory.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use taskfleet_core::{
    TaskId, Timestamp,
    machine::{Event, Refusal},
    retry::Jitter,
    task::{TaskRecord, TaskSpec, TaskState},
};
use taskfleet_proto::v1;
use taskfleet_runtime::{Clock, Entropy, Tasks, health::Readiness, transport::SharedConnector};
use taskfleet_store::{Applied, Change, Store, StoreError};
use tokio::sync::oneshot;

use crate::{
    board::Board, executions::Executions, fleet::Fleet, hub::Hub, local::Home, metrics::Figures,
    recovery::Awaited, settings::Settings, superseded::Superseded,
};

/// Shared by all parts of one supervisor.
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) caller: v1::Caller,
    /// Of the local workers.
    pub(crate) home: Home,
    pub(crate) board: Board,
    pub(crate) hub: Hub,
    pub(crate) executions: Executions,
    pub(crate) fleet: Fleet,
    pub(crate) connector: SharedConnector,
    pub(crate) entropy: Entropy,
    pub(crate) tasks: Tasks,
    pub(crate) readiness: Readiness,
    pub(crate) metrics: Figures,
    pub(crate) time: Time,
    pub(crate) superseded: Superseded,
    pub(crate) awaited: Awaited,
    /// Turns that the dispatcher has made: how it is seen to get on.
    pub(crate) turns: AtomicU64,
}

/// Time for tasks: wall time as it was when the supervisor started, going on steadily, so
/// that a clock that jumps neither expires deadlines nor stretches backoffs.
pub(crate) struct Time {
    clock: Clock,
    started: Timestamp,
    started_micros: u64,
}

impl Time {
    pub(crate) fn starting(clock: Clock) -> Self {
        let started = Timestamp::from_unix_millis(clock.unix_millis());
        let started_micros = clock.micros();
        Self { clock, started, started_micros }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.started + Duration::from_micros(self.micros() - self.started_micros)
    }

    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    /// Monotonic time in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        self.clock.micros()
    }
}

/// Pauses between tries to write what must be written.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Engine {
    pub(crate) fn change(&self, task: TaskId, event: Event) -> Change {
        Change { task, event, jitter: Jitter::new(self.entropy.fraction()) }
    }

    /// Applies events for a caller who can be told that it did not work.
    pub(crate) async fn apply(
        self: &Arc<Self>,
        changes: Vec<Change>,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let engine = self.clone();
        let applying = async move { engine.apply_undropped(changes).await };
        self.to_the_end(applying).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Like [`Engine::apply`], for whoever is never dropped before its end.
    async fn apply_undropped(
        self: &Arc<Self>,
        changes: Vec<Change>,
    ) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let results = self.store.apply(changes, self.time.now()).await?;
        for applied in results.iter().flatten() {
            self.take_effect(applied);
        }
        Ok(results)
    }

    /// Runs `work` to its end also when whoever waits for it goes away, as the handler of a
    /// call whose client hung up does: what is committed has to take effect in memory.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn(async move {
            // Nobody may be waiting any more.
            let _ = answer.send(work.await);
        });
        answered.await.ok()
    }

    /// Applies events that have happened whether the store can be written now or not: tries
    /// again until it can, or the supervisor stops. `None`: it stopped, and its successor
    /// will learn of them from the worker.
    pub(crate) async fn apply_surely(
        self: &Arc<Self>,
        changes: Vec<Change>,
    ) -> Option<Vec<Result<Applied, Refusal>>> {
        self.until_applied(changes, |changes| self.apply(changes)).await
    }

    /// Like [`Engine::apply_surely`], for a driver, which is a task of its own that nobody drops:
    /// another one for each settlement would cost as much as half of what the store does for it.
    pub(crate) async fn apply_as_driver(
        self: &Arc<Self>,
        change: Change,
    ) -> Option<Vec<Result<Applied, Refusal>>> {
        self.until_applied(vec![change], |changes| self.apply_undropped(changes)).await
    }

    async fn until_applied<T>(
        &self,
        changes: Vec<Change>,
        apply: impl Fn(Vec<Change>) -> T,
    ) -> Option<Vec<Result<Applied, Refusal>>>
    where
        T: Future<Output = Result<Vec<Result<Applied, Refusal>>, StoreError>>,
    {
        let mut pause = FIRST_PAUSE;
        // Also a store that takes no writes lets pass who has none.
        while !changes.is_empty() {
            match apply(changes.clone()).await {
                Ok(results) => return Some(results),
                Err(StoreError::Closed) => return None,
                // Once for each: a disk that is full may hold the log, too.
                Err(error) if pause == FIRST_PAUSE => {
                    tracing::error!(%error, "could not write, trying again");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(self.entropy.jittered(pause)) => {}
                () = self.tasks.stopping() => return None,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Some(Vec::new())
    }

    /// What a committed change does in memory.
    fn take_effect(self: &Arc<Self>, applied: &Applied) {
        let record = &applied.record;
        self.metrics.applied(applied);
        self.hub.publish(record);
        self.write_spans(applied);
        if let Some(ended) = applied.ended {
            self.executions.abandon(record.id, ended.lease);
        }
        self.awaited.changed(record);
        match record.state {
            TaskState::Queued => self.board.queue(record, None),
            TaskState::Running
            | TaskState::Completed
            | TaskState::Failed
            | TaskState::Cancelled => self.board.remove(record.id),
        }
        if let Some(number) = applied.outcome {
            self.hub.outcome(number);
        }
    }

    /// A committed new task takes effect in memory.
    pub(crate) fn accepted(self: &Arc<Self>, record: &TaskRecord, spec: Arc<TaskSpec>) {
        self.metrics.submitted(&spec.work);
        self.hub.publish(record);
        if record.state == TaskState::Queued {
            self.board.queue(record, Some(spec));
        }
    }
}
