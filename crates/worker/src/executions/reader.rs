//! What one ProcessTask stream sends.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{Stream, stream};
use taskfleet_proto::{
    last_response,
    worker::{TaskResponse, WorkerStatus},
};
use tokio::time::Instant;
use tonic::Status;

use super::{
    Executions,
    execution::{Abort, Execution},
};

/// The most text in one message.
const MAX_DELTA_BYTES: usize = 64 << 10;
/// Deltas are gathered at least so long before they are sent …
const SHORTEST_REST: Duration = Duration::from_millis(10);
/// … and at most so long.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// Each running execution adds this to the rest of all, which keeps a worker below 3,300
/// deltas a second, at 7 µs of CPU each, however many streams it has.
const REST_PER_EXECUTION: Duration = Duration::from_micros(300);

/// Reads one execution from an offset on, at its own speed: nothing is queued for it.
pub(crate) struct Reader {
    execution: Arc<Execution>,
    executions: Executions,
    number: u64,
    task: String,
    sequence: u64,
    offset: usize,
    rest_until: Option<Instant>,
    phase: Phase,
    /// The call ends with this reader.
    bound: bool,
}

#[derive(Clone, Copy)]
enum Phase {
    Begin,
    Text,
    Over,
}

impl Reader {
    /// A reader of an execution that goes on without it.
    pub(super) fn attach(execution: Arc<Execution>, offset: usize, executions: Executions) -> Self {
        Self::new(execution, offset, executions, false)
    }

    /// A reader of an execution that ends when the reader is dropped.
    pub(super) fn bind(execution: Arc<Execution>, executions: Executions) -> Self {
        Self::new(execution, 0, executions, true)
    }

    fn new(execution: Arc<Execution>, offset: usize, executions: Executions, bound: bool) -> Self {
        Self {
            number: execution.next_reader(),
            task: execution.identity().task(),
            // What lies past the end, or cuts a character, is replayed from before it.
            offset: execution.progress().cut_before(offset),
            execution,
            executions,
            sequence: 0,
            rest_until: None,
            phase: Phase::Begin,
            bound,
        }
    }

    /// The messages.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<TaskResponse, Status>> + Send {
        stream::unfold(self, Self::next)
    }

    async fn next(mut self) -> Option<(Result<TaskResponse, Status>, Self)> {
        let item = match self.phase {
            Phase::Begin => {
                self.phase = Phase::Text;
                self.rest();
                Ok(self.message())
            }
            Phase::Text => self.text_or_end().await,
            Phase::Over => return None,
        };
        Some((item, self))
    }

    async fn text_or_end(&mut self) -> Result<TaskResponse, Status> {
        self.rested().await;
        let execution = Arc::clone(&self.execution);
        loop {
            // Both listen before anything is looked at: what comes in between wakes them.
            let (mut grew, mut news) = (pin!(execution.progress().grew()), pin!(execution.news()));
            grew.as_mut().enable();
            news.as_mut().enable();
            if let Some(item) = self.look() {
                return item;
            }
            tokio::select! {
                () = grew => {}
                () = news => {}
            }
        }
    }

    fn look(&mut self) -> Option<Result<TaskResponse, Status>> {
        if self.execution.is_superseded(self.number) {
            self.phase = Phase::Over;
            return Some(Err(Status::aborted("superseded by a newer attach")));
        }
        // Looked at before the text: once it has ended no text comes any more.
        let ended = self.execution.has_ended();
        if let Some((delta, more)) =
            self.execution.progress().text_from(self.offset, MAX_DELTA_BYTES)
        {
            return Some(Ok(self.delta(delta, more)));
        }
        ended.then(|| self.last())
    }

    fn delta(&mut self, delta: String, more: bool) -> TaskResponse {
        let mut response = self.message();
        self.offset += delta.len();
        response.delta = delta;
        if !more {
            self.rest();
        }
        response
    }

    fn last(&mut self) -> Result<TaskResponse, Status> {
        self.phase = Phase::Over;
        let outcome = self.execution.outcome().ok_or_else(|| Status::internal("no outcome"))?;
        let lease = self.execution.identity().lease();
        let mut response = last_response(std::mem::take(&mut self.task), lease, outcome);
        self.number_message(&mut response);
        Ok(response)
    }

    fn message(&mut self) -> TaskResponse {
        let mut response = TaskResponse {
            task_id: self.task.clone(),
            lease: self.execution.identity().lease().number(),
            ..TaskResponse::default()
        };
        response.set_status(WorkerStatus::Processing);
        self.number_message(&mut response);
        response
    }

    fn number_message(&mut self, response: &mut TaskResponse) {
        response.sequence = self.sequence;
        response.offset = self.offset as u64;
        self.sequence += 1;
    }

    /// What comes in the next moments goes into one message.
    fn rest(&mut self) {
        let running = u32::try_from(self.executions.running()).unwrap_or(u32::MAX);
        let rest = REST_PER_EXECUTION.saturating_mul(running).clamp(SHORTEST_REST, LONGEST_REST);
        self.rest_until = Some(Instant::now() + rest);
    }

    /// Waits until the rest is over; an end or a newer reader cuts it short.
    async fn rested(&mut self) {
        let Some(until) = self.rest_until.take() else {
            return;
        };
        let mut news = pin!(self.execution.news());
        news.as_mut().enable();
        if self.execution.has_ended() || self.execution.is_superseded(self.number) {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = news => {}
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.bound {
            self.execution.abort(Abort::Cancelled);
        }
    }
}
