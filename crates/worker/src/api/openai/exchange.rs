//! What the two ends of the client library share about one call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use taskfleet_core::{
    failure::{Delivery, FailureKind},
    outcome::Failure,
};
use taskfleet_runtime::Clock;

use crate::api::{Progress, failure};

/// What kind of answer a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A stream of server-sent events.
    Events,
    /// One JSON object.
    Whole,
}

/// One call: what goes in at the top of the client library comes out at its bottom, where the
/// network is; what is seen there is noted here, past the library's own errors.
pub(super) struct Exchange {
    pub(super) shape: Shape,
    pub(super) progress: Arc<Progress>,
    pub(super) clock: Clock,
    key: Option<SecretString>,
    seen: Mutex<Seen>,
}

/// A body that came whole.
pub(super) struct WholeAnswer {
    pub(super) body: Bytes,
    /// For words.
    pub(super) content_type: String,
}

#[derive(Default)]
struct Seen {
    failure: Option<Failure>,
    request: Option<Bytes>,
    answer: Option<WholeAnswer>,
    done: bool,
}

impl Exchange {
    pub(super) fn new(
        shape: Shape,
        progress: Arc<Progress>,
        key: Option<SecretString>,
        clock: Clock,
    ) -> Self {
        Self { shape, progress, clock, key, seen: Mutex::default() }
    }

    /// The key that the call spends, to keep it out of words.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.expose_secret())
    }

    /// The call failed, and this is why. The first reason is the right one.
    pub(super) fn fail(&self, failure: Failure) {
        self.lock().failure.get_or_insert(failure);
    }

    /// Why the call failed, if that was noted.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.lock().failure.clone()
    }

    /// Why the call failed, when the client library says that it did.
    pub(super) fn why(&self) -> Failure {
        self.failure().unwrap_or_else(|| {
            let kind = match self.progress.call().delivery {
                Delivery::NotSent => FailureKind::Internal,
                _ => FailureKind::BadResponse,
            };
            failure(kind, "the client library could not make or read the call")
        })
    }

    /// What is to be sent, byte for byte, in place of what the client library writes.
    pub(super) fn send_instead(&self, body: Bytes) {
        self.lock().request = Some(body);
    }

    pub(super) fn take_request(&self) -> Option<Bytes> {
        self.lock().request.take()
    }

    pub(super) fn keep_answer(&self, answer: WholeAnswer) {
        self.lock().answer = Some(answer);
    }

    pub(super) fn take_answer(&self) -> Option<WholeAnswer> {
        self.lock().answer.take()
    }

    /// The stream said `[DONE]`.
    pub(super) fn set_done(&self) {
        self.lock().done = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.lock().done
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
