//! Takes tasks in: a task is accepted when it is on disk.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use taskfleet_core::{
    TaskId, Timestamp,
    digest::Parts,
    task::{TaskRecord, TaskSpec, Work},
};
use taskfleet_store::{NewTask, SubmitError, Submitted};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{board::Slot, engine::Engine, grpc::Room, pace::Pace, superseded, watchdog};

/// When a client may ask again after the queue was full.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// Numbers tasks that are submitted within one millisecond, so that they run in the order
/// in which they came.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);

impl Engine {
    /// Accepts tasks, all or none; those for which a worker has a slot are claimed for it in
    /// the same transaction. `room` is what the request takes.
    ///
    /// # Errors
    /// UNAVAILABLE while stopping, standing back or when the store fails, RESOURCE_EXHAUSTED when
    /// the queue is full; see
    /// [`SubmitError`].
    pub(crate) async fn submit(
        self: &Arc<Self>,
        specs: Vec<TaskSpec>,
        room: Option<Room>,
    ) -> Result<Vec<Submitted>, IntakeError> {
        self.check_open()?;
        let engine = self.clone();
        let committing = async move {
            // Held to the end, also when the client hangs up: the tasks are in memory so long.
            let _room = room;
            engine.check_room(&specs).await?;
            engine.commit(specs).await
        };
        tokio::select! {
            biased;
            committed = self.to_the_end(committing) => {
                committed.unwrap_or(Err(IntakeError::Stopping))
            }
            reason = self.readiness.blocked(watchdog::STORE) => {
                Err(IntakeError::StoreFails(reason))
            }
        }
    }

    async fn commit(self: &Arc<Self>, specs: Vec<TaskSpec>) -> Result<Vec<Submitted>, IntakeError> {
        let now = self.time.now();
        let mut tasks: Vec<NewTask> =
            specs.into_iter().map(|spec| self.new_task(spec, now)).collect();
        let slots = self.seat(&mut tasks, now);
        let specs: Vec<Arc<TaskSpec>> = tasks.iter().map(|task| task.spec.clone()).collect();
        let claimed = tasks.iter().filter(|task| task.claim.is_some());
        let marked = self.executions.claiming(claimed.map(|task| task.id).collect());
        let submitted = self.store.submit(tasks, now).await?;
        let mut pace = Pace::default();
        for ((result, spec), slot) in submitted.iter().zip(specs).zip(slots) {
            pace.step().await;
            if let Submitted::New(record) = result {
                self.take_in(record, spec, slot);
            }
        }
        drop(marked);
        Ok(submitted)
    }

    fn check_open(&self) -> Result<(), IntakeError> {
        if self.tasks.is_stopping() {
            return Err(IntakeError::Stopping);
        }
        if self.stands_back() {
            return Err(IntakeError::Superseded);
        }
        // Whoever waits for a store that fails holds memory, and learns nothing by it.
        let fails = self.readiness.reason(watchdog::STORE);
        fails.map_or(Ok(()), |reason| Err(IntakeError::StoreFails(reason)))
    }

    /// What was submitted before needs no room: a client whose answer was lost learns the first
    /// id, however full the queue is. Its keys are looked up only where that decides.
    async fn check_room(&self, specs: &[TaskSpec]) -> Result<(), IntakeError> {
        if self.has_room(specs.iter()) {
            return Ok(());
        }
        let keys = specs.iter().filter_map(|spec| spec.idempotency_key.clone()).collect();
        let known = self.store.keyed(keys).await.map_err(SubmitError::from)?;
        let mut seen: HashSet<&str> = known.iter().map(|task| task.key.as_str()).collect();
        let mut new: Vec<&TaskSpec> = specs.iter().collect();
        new.retain(|spec| spec.idempotency_key.as_deref().is_none_or(|key| seen.insert(key)));
        let fits = new.is_empty() || self.has_room(new.into_iter());
        if fits { Ok(()) } else { Err(IntakeError::Full) }
    }

    fn has_room<'a>(&self, specs: impl Iterator<Item = &'a TaskSpec>) -> bool {
        let counts = self.store.counts();
        let (tasks, bytes) = specs
            .fold((counts.queued, counts.queued_bytes), |(tasks, bytes), spec| {
                (tasks + 1, bytes + spec.work.size_bytes())
            });
        tasks <= self.settings.max_queued && bytes <= self.settings.max_queued_bytes
    }

    fn new_task(&self, spec: TaskSpec, now: Timestamp) -> NewTask {
        let digest = digest(&spec);
        NewTask { id: self.new_id(now), spec: Arc::new(spec), digest, claim: None }
    }

    /// Takes free slots for as many of the tasks as there are, in the order in which they are
    /// to run; one that gets none ends it, lest those behind overtake it.
    fn seat(&self, tasks: &mut [NewTask], now: Timestamp) -> Vec<Option<Slot>> {
        let mut slots: Vec<Option<Slot>> = tasks.iter().map(|_| None).collect();
        for number in in_turn(tasks) {
            let task = &mut tasks[number];
            let Some(slot) = self.board.seat_now(&task.spec.record(task.id, now)) else { break };
            task.claim = Some(slot.holder.clone());
            slots[number] = Some(slot);
        }
        slots
    }

    fn new_id(&self, now: Timestamp) -> TaskId {
        let mut random: [u8; 10] = self.entropy.bytes();
        // Version 7 keeps the low 12 bits of the first two bytes and 62 of the rest: the
        // counter goes where it decides the order within a millisecond.
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        random[2..6].copy_from_slice(&sequence);
        random[..2].fill(0);
        TaskId::new(now, random)
    }

    fn take_in(self: &Arc<Self>, record: &TaskRecord, spec: Arc<TaskSpec>, slot: Option<Slot>) {
        self.accepted(record, spec.clone());
        if let Some(slot) = slot {
            self.start(record, spec, slot);
        }
    }
}

/// By priority, then tenants in turns, then as they came.
fn in_turn(tasks: &[NewTask]) -> Vec<usize> {
    let mut rounds: HashMap<(i32, &str), usize> = HashMap::new();
    let mut order: Vec<_> = tasks
        .iter()
        .enumerate()
        .map(|(number, task)| {
            let round = rounds.entry((task.spec.priority, &task.spec.tenant)).or_default();
            *round += 1;
            (Reverse(task.spec.priority), *round, number)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(.., number)| number).collect()
}

/// A digest over all that decides the call, so that an idempotency key that is used again
/// for another call is noticed. A retry is decided by the task that it tries again.
pub(crate) fn digest(spec: &TaskSpec) -> [u8; 32] {
    let mut parts = Parts::default();
    match (&spec.retry_of, &spec.work) {
        (Some(ended), _) => return retry_digest(*ended),
        (None, Work::Content(content)) => {
            parts.add(b"content");
            parts.add(&content.text);
            for part in [&content.model, &content.instructions, &content.parameters_json] {
                parts.add(part.as_deref().unwrap_or_default());
            }
        }
        (None, Work::Request(request)) => {
            parts.add(request.endpoint.path());
            parts.add(&request.body);
        }
    }
    parts.finish()
}

/// The digest of every retry of this ended task.
pub(crate) fn retry_digest(ended: TaskId) -> [u8; 32] {
    let mut parts = Parts::default();
    parts.add(b"retry");
    parts.add(ended.as_bytes());
    parts.finish()
}

/// Why tasks were not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error("the supervisor is stopping: ask its successor, with the same idempotency key")]
    Stopping,
    #[error("{0}: it may pass, ask again with the same idempotency key")]
    StoreFails(String),
    #[error("{}", superseded::WORDS)]
    Superseded,
    #[error("the queue is full")]
    Full,
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

impl IntakeError {
    /// The status for a client; `field` names the field of task number n.
    pub(crate) fn status(&self, field: impl Fn(usize, &str) -> String) -> Status {
        match self {
            Self::Stopping | Self::Superseded | Self::StoreFails(_) => {
                Status::unavailable(self.to_string())
            }
            Self::Full => {
                let details = ErrorDetails::with_retry_info(Some(RETRY_WHEN_FULL));
                Status::with_error_details(Code::ResourceExhausted, self.to_string(), details)
            }
            Self::Refused(SubmitError::Store(error)) => crate::grpc::status::of_store(error),
            Self::Refused(SubmitError::Conflicts(conflicts)) => {
                crate::grpc::status::of_conflicts(conflicts, field)
            }
        }
    }
}
