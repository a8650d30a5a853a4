//! How an execution ended, by the worker's word.

use std::{fmt, time::Duration};

use crate::{
    failure::{Consequence, Delivery, FailureKind},
    limits,
};

/// An ended execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What became of it.
    pub end: End,
    /// What is known of the call.
    pub call: Call,
}

/// What became of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The model answered.
    Completed(Payload),
    /// It failed.
    Failed(Failure),
    /// The worker aborted it, as it was told to.
    Cancelled,
    /// Handed back, to be run elsewhere.
    Released,
}

/// A result. Its Debug shows the size only.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// The text of a content task.
    Text(String),
    /// The raw body that answered a request.
    Body(Vec<u8>),
}

impl Payload {
    /// The bytes, as they are stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Body(body) => body,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_bytes().len())
    }
}

/// Why an execution failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// By the table.
    pub kind: FailureKind,
    /// In words, without prompt, result or key.
    pub message: String,
    /// What the provider asked us to wait.
    pub retry_after: Option<Duration>,
    /// The same call would end in the same way, though its kind is one that may pass: it is
    /// not paid for again.
    pub permanent: bool,
}

impl Failure {
    /// A failure of which no more is known than its kind.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, permanent: false }
    }

    /// A result that is larger than any that is kept.
    #[must_use]
    pub fn too_large() -> Self {
        let mib = limits::MAX_RESULT_BYTES >> 20;
        let message = format!("the answer is larger than {mib} MiB, the most that is kept");
        Self { permanent: true, ..Self::new(FailureKind::BadResponse, message) }
    }

    /// What an execution that failed in this way, with this call, counts as.
    #[must_use]
    pub const fn consequence(&self, call: &Call) -> Consequence {
        if self.permanent {
            Consequence::Fail
        } else {
            self.kind.consequence(call.delivery, call.http_status)
        }
    }
}

/// What is known of the call to the model API.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// How far it came.
    pub delivery: Delivery,
    /// The HTTP status, if one was seen.
    pub http_status: Option<u16>,
    /// The provider's own id of the call; empty: none was seen.
    pub provider_request_id: String,
    /// The model that answered, by its own word.
    pub served_model: String,
    /// What it cost.
    pub usage: Option<Usage>,
    /// The model's reason to stop.
    pub finish_reason: String,
    /// What is known beside the answer. Boxed: outcomes stand in many an enum.
    pub facts: Box<Facts>,
}

/// What a call tells of the account and of time; nothing is decided by it alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// What the provider said of the account's limits.
    pub rate_limits: Option<RateLimits>,
    /// The budget that it was charged to; empty: unknown.
    pub limit_key: String,
    /// From sending the request to the first byte of its answer.
    pub first_byte: Option<Duration>,
    /// How long it took as a whole.
    pub took: Option<Duration>,
}

/// What a provider's headers said of an account's limits: how much a minute (or a day) allows,
/// what is left of it, and when all of it is there again. Many servers send none, or nonsense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// How long ago they came.
    pub age: Duration,
    /// Of calls.
    pub requests: RateLimit,
    /// Of tokens.
    pub tokens: RateLimit,
}

/// One of them. What is negative means nothing that is known, and is kept as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimit {
    /// All that is allowed.
    pub limit: Option<i64>,
    /// What is left.
    pub remaining: Option<i64>,
    /// Until all is there again.
    pub reset: Option<Duration>,
}

impl Call {
    /// A call of which nothing is known but how far it came.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            http_status: None,
            provider_request_id: String::new(),
            served_model: String::new(),
            usage: None,
            finish_reason: String::new(),
            facts: Box::default(),
        }
    }
}

/// Tokens that a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Both, by the provider's count.
    pub total_tokens: u64,
    /// Tokens of the prompt that came from the provider's cache.
    pub cached_input_tokens: u64,
    /// Tokens of the answer that were spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Outcome {
    /// A failure of which no call is known.
    #[must_use]
    pub fn failed(kind: FailureKind, delivery: Delivery, message: impl Into<String>) -> Self {
        Self { end: End::Failed(Failure::new(kind, message)), call: Call::new(delivery) }
    }
}
