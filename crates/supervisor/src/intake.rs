//! Takes tasks in: a task is accepted when it is on disk.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use taskfleet_core::{
    TaskId, Timestamp,
    task::{TaskRecord, TaskSpec, Work},
};
use taskfleet_store::{NewTask, SubmitError, Submitted};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{board::Slot, engine::Engine};

/// When a client may ask again after the queue was full.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// Numbers tasks that are submitted within one millisecond, so that they run in the order
/// in which they came.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);

impl Engine {
    /// Accepts tasks, all or none; those for which a worker has a slot are claimed for it in
    /// the same transaction.
    ///
    /// # Errors
    /// UNAVAILABLE while stopping, RESOURCE_EXHAUSTED when the queue is full; see
    /// [`SubmitError`].
    pub(crate) async fn submit(
        self: &Arc<Self>,
        specs: Vec<TaskSpec>,
    ) -> Result<Vec<Submitted>, IntakeError> {
        self.check_room(&specs)?;
        let engine = self.clone();
        let committing = async move { engine.commit(specs).await };
        let stopping = Err(IntakeError::Stopping);
        self.to_the_end(committing).await.unwrap_or(stopping)
    }

    async fn commit(self: &Arc<Self>, specs: Vec<TaskSpec>) -> Result<Vec<Submitted>, IntakeError> {
        let now = self.time.now();
        let mut slots = Vec::with_capacity(specs.len());
        let mut tasks = Vec::with_capacity(specs.len());
        for spec in specs {
            let (task, slot) = self.prepare(spec, now);
            tasks.push(task);
            slots.push(slot);
        }
        let specs: Vec<Arc<TaskSpec>> = tasks.iter().map(|task| task.spec.clone()).collect();
        let claimed = tasks.iter().filter(|task| task.claim.is_some());
        let marked = self.executions.claiming(claimed.map(|task| task.id).collect());
        let submitted = self.store.submit(tasks, now).await?;
        for ((result, spec), slot) in submitted.iter().zip(specs).zip(slots) {
            if let Submitted::New(record) = result {
                self.take_in(record, spec, slot);
            }
        }
        drop(marked);
        Ok(submitted)
    }

    fn check_room(&self, specs: &[TaskSpec]) -> Result<(), IntakeError> {
        if self.tasks.is_stopping() {
            return Err(IntakeError::Stopping);
        }
        let counts = self.store.counts();
        let bytes: u64 = specs.iter().map(|spec| spec.work.size_bytes()).sum();
        let full = counts.queued + specs.len() as u64 > self.settings.max_queued
            || counts.queued_bytes + bytes > self.settings.max_queued_bytes;
        if full { Err(IntakeError::Full) } else { Ok(()) }
    }

    fn prepare(&self, spec: TaskSpec, now: Timestamp) -> (NewTask, Option<Slot>) {
        let spec = Arc::new(spec);
        let id = self.new_id(now);
        let slot = self.board.seat_now(&spec.record(id, now));
        let claim = slot.as_ref().map(|slot| slot.holder.clone());
        (NewTask { id, digest: digest(&spec), spec, claim }, slot)
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

/// A digest over all that decides the call, so that an idempotency key that is used again
/// for another call is noticed. Each part is preceded by its length.
fn digest(spec: &TaskSpec) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    match &spec.work {
        Work::Content(content) => {
            add(b"content");
            add(content.text.as_bytes());
            for part in [&content.model, &content.instructions, &content.parameters_json] {
                add(part.as_deref().unwrap_or_default().as_bytes());
            }
        }
        Work::Request(request) => {
            add(request.endpoint.path().as_bytes());
            add(request.body.as_bytes());
        }
    }
    hash.finalize().into()
}

/// Why tasks were not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error("the supervisor is stopping: ask its successor, with the same idempotency key")]
    Stopping,
    #[error("the queue is full")]
    Full,
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

impl IntakeError {
    /// The status for a client; `field` names the field of task number n.
    pub(crate) fn status(&self, field: impl Fn(usize, &str) -> String) -> Status {
        match self {
            Self::Stopping => Status::unavailable(self.to_string()),
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
