//! How an execution ended, by the worker's word.

use std::{fmt, time::Duration};

use crate::failure::{Delivery, FailureKind};

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
}

impl Call {
    /// A call of which nothing is known but how far it came.
    #[must_use]
    pub const fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            http_status: None,
            provider_request_id: String::new(),
            served_model: String::new(),
            usage: None,
            finish_reason: String::new(),
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
        Self {
            end: End::Failed(Failure { kind, message: message.into(), retry_after: None }),
            call: Call::new(delivery),
        }
    }
}
