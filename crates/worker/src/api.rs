//! The model API behind one trait.

pub mod openai;
mod progress;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use std::sync::Arc;
use taskfleet_core::{
    Lease,
    failure::FailureKind,
    outcome::Failure,
    task::{TraceContext, Work},
};

pub use progress::Progress;

/// Something that answers one call to a model.
#[async_trait]
pub trait ModelApi: Send + Sync + 'static {
    /// Makes the call once, without any retry, and writes into `progress` how far it came,
    /// what is known of it, and the text as it comes.
    ///
    /// The caller bounds its time; dropping the future must end the call at once, down to the
    /// connection to the provider.
    async fn call(&self, call: ApiCall, progress: Arc<Progress>) -> Result<Answer, Failure>;
}

/// Any model API.
pub type SharedApi = Arc<dyn ModelApi>;

/// One call to make. Its Debug shows no prompt and no key.
#[derive(Debug)]
pub struct ApiCall {
    /// The task, as its client named it.
    pub task: String,
    /// Of the execution; none for clients that know only the published contract.
    pub lease: Lease,
    /// What to call the model with.
    pub work: Work,
    /// Spent instead of the worker's own key.
    pub key: Option<SecretString>,
    /// W3C trace context, to be passed on.
    pub trace: Option<TraceContext>,
    /// The budget that it is charged to, if not account and model.
    pub limit_key: Option<String>,
}

/// An answer that came whole.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The text that went into [`Progress::push`].
    Text,
    /// The raw body that answered a whole request.
    Body(Bytes),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("Text"),
            Self::Body(body) => write!(f, "Body({} bytes)", body.len()),
        }
    }
}

/// A failure without a wait.
pub(crate) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure::new(kind, message)
}
