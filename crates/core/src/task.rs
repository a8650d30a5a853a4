//! A task: what was asked for, and the narrow record that every decision is made on.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    BootId, Lease, TaskId, Timestamp,
    demand::{self, Demand, Features, SizeClass},
    failure::FailureKind,
    limits,
    retry::RetryPolicy,
};

/// Where a task is in its life. Terminal states never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Ended by its client.
    Cancelled,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether the task has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What has happened to a task so far. Each repeated call is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Executions that failed in a way that may pass.
    pub attempts: u32,
    /// Workers that died, hung or were cut off with it.
    pub losses: u32,
    /// Times that the provider said slow down, or nothing could be sent.
    pub throttles: u32,
    /// Times that it came back without having counted as anything.
    pub requeues: u32,
}

impl Counters {
    /// How often the task came back to the queue.
    #[must_use]
    pub const fn returns(self) -> u32 {
        self.attempts + self.losses + self.throttles + self.requeues
    }
}

/// The worker process that has a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its incarnation.
    pub boot_id: BootId,
    /// Its name, for people.
    pub name: String,
    /// Where it is reached: host:port.
    pub address: String,
}

/// The hot part of a task: all that a decision about it needs, and nothing large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRecord {
    /// The task.
    pub id: TaskId,
    /// Where it is in its life.
    pub state: TaskState,
    /// The lease of its last claim; of a lost one until the next claim.
    pub lease: Lease,
    /// The last lease ended without its worker's word (lost, or never heard of), so that
    /// until the next claim its execution may still be adopted and its good outcome is
    /// welcome. False once the worker said how it ended: the same word, heard again after
    /// a restart, must not count twice.
    pub lease_unheard: bool,
    /// The last lease was given out by another copy of this store and adopted here, so that
    /// copy may come back for its outcome: the worker is not told to forget it.
    pub lease_borrowed: bool,
    /// What has happened so far.
    pub counters: Counters,
    /// How failed attempts are repeated.
    pub retry: RetryPolicy,
    /// -100 (last) to 100 (first).
    pub priority: i32,
    /// Tenants take turns; empty is one of them.
    pub tenant: String,
    /// The model it asks for, where it names one.
    pub model: Option<String>,
    /// What its worker must be able to do.
    pub needs: Features,
    /// Size of content or body, in bytes.
    pub size_bytes: u64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it fails, if it has not ended.
    pub deadline: Timestamp,
    /// Not to be claimed before this time.
    pub not_before: Option<Timestamp>,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// Who has it, while running.
    pub holder: Option<Holder>,
    /// When the live lease was claimed.
    pub claimed_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why the last execution failed; for ended tasks, why the task did.
    pub kind: Option<FailureKind>,
}

impl TaskRecord {
    /// Whether it must have a worker for itself: it was there when workers died.
    #[must_use]
    pub const fn runs_alone(&self) -> bool {
        self.counters.losses >= limits::LOSSES_TO_RUN_ALONE
    }

    /// The size of the request that carries it to a worker, in bytes.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        demand::request_bytes(self.size_bytes, self.model.as_deref())
    }

    /// What decides, besides its model, which workers can take it.
    #[must_use]
    pub fn demand(&self) -> Demand {
        let size = SizeClass::of(self.request_bytes());
        Demand { needs: self.needs, alone: self.runs_alone(), size }
    }

    /// Whether it may be claimed at `now`.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.state == TaskState::Queued
            && now < self.deadline
            && self.not_before.is_none_or(|time| time <= now)
    }

    /// How long an attempt that starts at `now` may take: not past the deadline.
    #[must_use]
    pub fn remaining_attempt_time(&self, now: Timestamp) -> Duration {
        self.attempt_timeout.min(self.deadline.since(now))
    }
}

/// What to call the model with. Its Debug shows sizes only.
#[derive(Clone, PartialEq, Eq)]
pub enum Work {
    /// A prompt, called as a streamed chat completion.
    Content(Content),
    /// A whole request, forwarded byte for byte.
    Request(Request),
}

/// A prompt and what goes with it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// The user message.
    pub text: String,
    /// The model, or the worker's default.
    pub model: Option<String>,
    /// A system message before it.
    pub instructions: Option<String>,
    /// A JSON object merged into the body.
    pub parameters_json: Option<String>,
}

/// What a content task's parameters may not set: its own fields say it, and its answer is
/// always streamed.
pub const RESERVED_PARAMETERS: [&str; 3] = ["messages", "model", "stream"];

/// A request as the client wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// A JSON object.
    pub body: String,
    /// The model that the body names: it decides which workers can take the request.
    pub model: Option<String>,
}

/// The endpoints of the model API that a request may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/responses`
    Responses,
    /// `/v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 3] = [Self::ChatCompletions, Self::Responses, Self::Embeddings];

    /// The path, as clients write it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Embeddings => "/v1/embeddings",
        }
    }

    /// The endpoint with this path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }
}

impl Work {
    /// The size of content or body, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let len = match self {
            Self::Content(content) => {
                content.text.len()
                    + content.instructions.as_deref().map_or(0, str::len)
                    + content.parameters_json.as_deref().map_or(0, str::len)
            }
            Self::Request(request) => request.body.len(),
        };
        len as u64
    }

    /// The model that it names, if it names one.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Content(content) => content.model.as_deref(),
            Self::Request(request) => request.model.as_deref(),
        }
    }

    /// What a worker must be able to do to take it.
    #[must_use]
    pub const fn needs(&self) -> Features {
        match self {
            Self::Content(Content {
                model: None,
                instructions: None,
                parameters_json: None,
                ..
            }) => Features::NONE,
            Self::Content(_) => Features::CONTENT_OPTIONS,
            Self::Request(_) => Features::REQUESTS,
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Content(_) => "Content",
            Self::Request(request) => request.endpoint.path(),
        };
        write!(f, "Work({name}, {} bytes)", self.size_bytes())
    }
}

/// Everything that a client asks for, validated and with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// What to call the model with.
    pub work: Work,
    /// The client's key: the same key with the same task means the same task.
    pub idempotency_key: Option<String>,
    /// -100 (last) to 100 (first).
    pub priority: i32,
    /// Tenants take turns; empty is one of them.
    pub tenant: String,
    /// Empty: none.
    pub group: String,
    /// The client's own id, unique within tenant and group.
    pub client_ref: Option<String>,
    /// The task that this one belongs to.
    pub parent_id: Option<TaskId>,
    /// For finding it again.
    pub labels: BTreeMap<String, String>,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long the task may take, from submission to its end.
    pub deadline: Duration,
    /// How failed attempts are repeated.
    pub retry: RetryPolicy,
    /// The budget that the call is charged to, if not account and model.
    pub limit_key: Option<String>,
    /// W3C trace context.
    pub trace: Option<TraceContext>,
    /// The ended task that this one tries again.
    pub retry_of: Option<TaskId>,
}

impl TaskSpec {
    /// A task with all defaults.
    #[must_use]
    pub fn new(work: Work) -> Self {
        Self {
            work,
            idempotency_key: None,
            priority: 0,
            tenant: String::new(),
            group: String::new(),
            client_ref: None,
            parent_id: None,
            labels: BTreeMap::new(),
            attempt_timeout: limits::DEFAULT_ATTEMPT_TIMEOUT,
            deadline: limits::DEFAULT_DEADLINE,
            retry: RetryPolicy::default(),
            limit_key: None,
            trace: None,
            retry_of: None,
        }
    }

    /// The record of this task, accepted `now`.
    #[must_use]
    pub fn record(&self, id: TaskId, now: Timestamp) -> TaskRecord {
        TaskRecord {
            id,
            state: TaskState::Queued,
            lease: Lease::NONE,
            lease_unheard: false,
            lease_borrowed: false,
            counters: Counters::default(),
            retry: self.retry,
            priority: self.priority,
            tenant: self.tenant.clone(),
            model: self.work.model().map(str::to_owned),
            needs: self.work.needs(),
            size_bytes: self.work.size_bytes(),
            created_at: now,
            deadline: now + self.deadline,
            not_before: None,
            attempt_timeout: self.attempt_timeout,
            holder: None,
            claimed_at: None,
            finished_at: None,
            kind: None,
        }
    }
}

/// W3C trace context (www.w3.org/TR/trace-context), as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent` header.
    pub traceparent: String,
    /// The `tracestate` header; empty: none.
    pub tracestate: String,
}
