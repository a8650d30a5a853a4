//! Asking a supervisor that may go away and come back.

use std::{future::Future, time::Duration};

use tonic::{Response, Status};

use super::progress::Progress;
use crate::{ask, client::Client, failure::Failure};

/// A thousand large tasks take their time to be written.
const LONG: Duration = Duration::from_secs(60);

/// The supervisor, and how long it may stay away.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) patience: Duration,
    pub(super) progress: Progress,
}

impl Asker {
    /// Calls until there is an answer. A call must be safe to repeat.
    ///
    /// # Errors
    /// As [`ask::persist`].
    pub(super) async fn ask<T, F>(&self, call: impl Fn(Client) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        self.persist(|| self.client.answer_within(LONG, call(self.client.clone()))).await
    }

    /// Tries until it works or is refused.
    ///
    /// # Errors
    /// As [`ask::persist`].
    pub(super) async fn persist<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        ask::persist(self.patience, |words| self.progress.say(words), attempt).await
    }
}
