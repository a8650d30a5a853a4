//! What the two ends of the client library share about one call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use taskfleet_core::{
    failure::{Delivery, FailureKind},
    outcome::Failure,
};
use taskfleet_runtime::Clock;

use crate::api::{Progress, failure};

/// One call: what goes in at the top of the client library comes out at its bottom, where the
/// network is; what is seen there is noted here, past the library's own errors.
pub(super) struct Exchange {
    pub(super) progress: Arc<Progress>,
    pub(super) clock: Clock,
    key: Option<SecretString>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    failure: Option<Failure>,
    done: bool,
}

impl Exchange {
    pub(super) fn new(progress: Arc<Progress>, key: Option<SecretString>, clock: Clock) -> Self {
        Self { progress, clock, key, seen: Mutex::default() }
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
