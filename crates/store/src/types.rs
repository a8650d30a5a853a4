//! What goes into a store and what comes out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use taskfleet_core::{
    BootId, Epoch, Lease, StoreId, TaskId, Timestamp,
    failure::{Delivery, FailureKind},
    machine::{EndedLease, Event, LeaseEnd},
    outcome::{Payload, Usage},
    retry::Jitter,
    task::{Endpoint, Holder, TaskRecord, TaskSpec, TaskState, TraceContext},
};

/// Which store this is, and the epoch in which it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Minted with the store.
    pub store: StoreId,
    /// Raised each time it is opened.
    pub epoch: Epoch,
    /// The epoch in which it was open before; of a new one 0.
    pub former: Epoch,
}

/// How many tasks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Waiting.
    pub queued: u64,
    /// With a worker.
    pub running: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended badly.
    pub failed: u64,
    /// Ended by their client.
    pub cancelled: u64,
    /// Bytes of content and bodies of queued tasks.
    pub queued_bytes: u64,
}

/// What has happened to all tasks since the store was made, pruned ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Executions that failed in a way that may pass.
    pub attempts_failed: u64,
    /// Workers that died, hung or were cut off with a task.
    pub worker_losses: u64,
    /// Times that the provider said slow down, or nothing could be sent.
    pub throttles: u64,
    /// Times that a task came back without having counted as anything.
    pub requeues: u64,
}

impl Counts {
    /// Tasks in this state.
    #[must_use]
    pub const fn of(&self, state: TaskState) -> u64 {
        match state {
            TaskState::Queued => self.queued,
            TaskState::Running => self.running,
            TaskState::Completed => self.completed,
            TaskState::Failed => self.failed,
            TaskState::Cancelled => self.cancelled,
        }
    }
}

/// A transaction that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// From its beginning to the end of its sync.
    pub took: Duration,
    /// Tasks and changes in it.
    pub items: usize,
    /// Nothing of it was written.
    pub failed: bool,
}

/// Is told of transactions. It must be quick, for the next one waits.
pub type CommitWatcher = Box<dyn Fn(&Commit) + Send + Sync>;

/// A task to be accepted.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id, should it be new.
    pub id: TaskId,
    /// What is asked for.
    pub spec: Arc<TaskSpec>,
    /// A digest over all of the spec that decides the call: tells whether an idempotency key
    /// is used again for the same task.
    pub digest: [u8; 32],
    /// A worker with a free slot: the task is claimed for it in the same transaction.
    pub claim: Option<Holder>,
}

/// A task as its idempotency key knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The key.
    pub key: String,
    /// The task that was first submitted with it.
    pub id: TaskId,
    /// As in [`NewTask`].
    pub digest: [u8; 32],
    /// Its state now.
    pub state: TaskState,
}

/// The answer to one accepted task.
#[expect(clippy::large_enum_variant, reason = "nearly all are new: a box each would cost more")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is new.
    New(TaskRecord),
    /// An earlier submission with the same idempotency key made it.
    Existing {
        /// The first task's id.
        id: TaskId,
        /// Its state now.
        state: TaskState,
    },
}

impl Submitted {
    /// The task.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        match self {
            Self::New(record) => record.id,
            Self::Existing { id, .. } => *id,
        }
    }

    /// Its state now.
    #[must_use]
    pub const fn state(&self) -> TaskState {
        match self {
            Self::New(record) => record.state,
            Self::Existing { state, .. } => *state,
        }
    }

    /// Whether an earlier submission made it.
    #[must_use]
    pub const fn is_existing(&self) -> bool {
        matches!(self, Self::Existing { .. })
    }
}

/// An event to be applied to a task.
#[derive(Debug, Clone)]
pub struct Change {
    /// The task.
    pub task: TaskId,
    /// What happened to it.
    pub event: Event,
    /// For the backoff that may follow.
    pub jitter: Jitter,
}

/// What an event did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The task after it.
    pub record: TaskRecord,
    /// The lease that ended with it.
    pub ended: Option<EndedLease>,
    /// The number of the outcome, when the task ended with it.
    pub outcome: Option<u64>,
}

/// A running task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The task.
    pub id: TaskId,
    /// Its live lease.
    pub lease: Lease,
    /// Who has it.
    pub holder: Holder,
    /// When it was claimed.
    pub claimed_at: Timestamp,
}

/// A task, whole but for its content.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDetail {
    /// The hot part.
    pub record: TaskRecord,
    /// What its client said about it.
    pub meta: TaskMeta,
    /// Every ended lease, oldest first.
    pub attempts: Vec<Attempt>,
    /// Set once it has ended.
    pub result: Option<StoredResult>,
}

/// What a client said about a task, beyond what decides its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskMeta {
    /// Tenants take turns.
    pub tenant: String,
    /// Empty: none.
    pub group: String,
    /// The client's own id.
    pub client_ref: Option<String>,
    /// The task that this one belongs to.
    pub parent_id: Option<TaskId>,
    /// The ended task that this one tries again.
    pub retry_of: Option<TaskId>,
    /// The endpoint of a request task.
    pub endpoint: Option<Endpoint>,
    /// For finding it again.
    pub labels: BTreeMap<String, String>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResult {
    /// The answer, or its beginning; none when the task did not complete.
    pub payload: Option<Payload>,
    /// The whole size of the answer, in bytes.
    pub size_bytes: u64,
    /// What went wrong, for people; empty on completion.
    pub error: String,
    /// The provider's HTTP status.
    pub http_status: Option<u16>,
    /// The provider's own id of the call.
    pub provider_request_id: String,
    /// The model that answered.
    pub served_model: String,
    /// What it cost.
    pub usage: Option<Usage>,
    /// The model's reason to stop.
    pub finish_reason: String,
}

/// An ended lease: one line of a task's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub lease: Lease,
    /// The worker's name.
    pub worker: String,
    /// The worker's incarnation.
    pub boot_id: BootId,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub end: LeaseEnd,
    /// Why, if it failed.
    pub kind: Option<FailureKind>,
    /// How far the call came, where the worker said so.
    pub delivery: Option<Delivery>,
    /// The provider's HTTP status.
    pub http_status: Option<u16>,
    /// The provider's own id of the call.
    pub provider_request_id: String,
    /// What it cost, also when its outcome came too late.
    pub usage: Option<Usage>,
    /// The provider may have charged for it though its outcome was not used.
    pub possibly_paid: bool,
    /// What went wrong, for people.
    pub error: String,
}

/// What spans are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Where the client stands in its trace, if it said so.
    pub context: Option<TraceContext>,
    /// The lease, once it has ended.
    pub attempt: Option<Attempt>,
}

/// Which outcomes are wanted; each part that is set must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutcomeFilter {
    /// Empty: any.
    pub tenant: String,
    /// Empty: any.
    pub group: String,
    /// All of them.
    pub labels: BTreeMap<String, String>,
}

/// A page of outcomes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OutcomePage {
    /// In the order in which they ended, each with its number. Without attempts.
    pub outcomes: Vec<(u64, TaskDetail)>,
    /// Every outcome up to this number was looked at: where the next page begins.
    pub seen: u64,
}

/// What is due among some outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndedPage {
    /// Those that ended in time, in the order of their outcomes.
    pub due: Vec<TaskId>,
    /// The last outcome that was looked at, when there may be more after it.
    pub more_after: Option<u64>,
}

impl EndedPage {
    /// Of the outcomes that were looked at (number, task, when it ended) those that ended at
    /// `time` or before; `limit` were asked for.
    pub(crate) fn new(
        looked_at: &[(u64, TaskId, Timestamp)],
        time: Timestamp,
        limit: usize,
    ) -> Self {
        let due = looked_at.iter().filter(|(_, _, at)| *at <= time).map(|(_, task, _)| *task);
        let last = looked_at.last().filter(|_| looked_at.len() >= limit);
        Self { due: due.collect(), more_after: last.map(|(number, ..)| *number) }
    }
}
