//! One execution: what its call, its readers and its supervisor share.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use taskfleet_core::{
    failure::FailureKind,
    outcome::{End, Failure, Outcome, Payload},
};
use tokio::sync::{Notify, futures::Notified};
use tokio_util::sync::CancellationToken;

use super::Identity;
use crate::api::{Answer, Progress};

/// Why a call is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Abort {
    /// Nobody wants its outcome.
    Cancelled,
    /// The worker stops; it is to run elsewhere.
    Released,
}

/// How an execution ended.
#[derive(Debug)]
pub(super) enum Ending {
    Answered(Answer),
    Failed(Failure),
    Aborted(Abort),
}

impl Ending {
    /// Why there is no answer, in a word for spans and metrics; `None`: there is one.
    pub(super) fn failed(&self) -> Option<&'static str> {
        match self {
            Self::Answered(_) => None,
            Self::Failed(failure) => Some(failure.kind.name()),
            Self::Aborted(Abort::Cancelled) => Some(FailureKind::Cancelled.name()),
            Self::Aborted(Abort::Released) => Some("released"),
        }
    }
}

/// One execution, while anybody has to do with it.
#[derive(Debug)]
pub(crate) struct Execution {
    identity: Identity,
    progress: Arc<Progress>,
    ending: OnceLock<Ending>,
    abort: CancellationToken,
    aborted_as: OnceLock<Abort>,
    /// The reader that came last; the others are superseded.
    reader: AtomicU64,
    /// It ended, or a reader was superseded.
    news: Notify,
}

impl Execution {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            progress: Arc::default(),
            ending: OnceLock::new(),
            abort: CancellationToken::new(),
            aborted_as: OnceLock::new(),
            reader: AtomicU64::new(0),
            news: Notify::new(),
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Ends the call at once, if it still runs.
    pub(super) fn abort(&self, cause: Abort) {
        let _ = self.aborted_as.set(cause);
        self.abort.cancel();
    }

    /// Waits until the call is to be ended.
    pub(super) async fn aborted(&self) -> Abort {
        self.abort.cancelled().await;
        self.aborted_as.get().copied().unwrap_or(Abort::Cancelled)
    }

    /// The execution has ended. Only the first ending counts.
    pub(super) fn end(&self, ending: Ending) {
        let _ = self.ending.set(ending);
        self.news.notify_waiters();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.get().is_some()
    }

    /// A reader comes, and the one before it is superseded.
    pub(super) fn next_reader(&self) -> u64 {
        let reader = self.reader.fetch_add(1, Ordering::AcqRel) + 1;
        self.news.notify_waiters();
        reader
    }

    pub(super) fn is_superseded(&self, reader: u64) -> bool {
        self.reader.load(Ordering::Acquire) != reader
    }

    /// Tells of an end or of another reader that comes after it was first polled or enabled.
    pub(super) fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// The outcome, once it has ended. The text is copied: the next reader wants it too.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let end = match self.ending.get()? {
            Ending::Answered(Answer::Text) => End::Completed(Payload::Text(self.progress.text())),
            Ending::Answered(Answer::Body(body)) => End::Completed(Payload::Body(body.to_vec())),
            Ending::Failed(failure) => End::Failed(failure.clone()),
            Ending::Aborted(Abort::Cancelled) => End::Cancelled,
            Ending::Aborted(Abort::Released) => End::Released,
        };
        Some(Outcome { end, call: self.progress.call() })
    }
}
