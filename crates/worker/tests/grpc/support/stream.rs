//! The messages of one ProcessTask stream.

use taskfleet_core::{
    failure::{Delivery, FailureKind},
    outcome::{Call, End, Failure, Outcome, Payload},
};
use taskfleet_proto::{
    read_outcome,
    worker::{TaskResponse, WorkerStatus},
};
use tonic::{Code, Status, Streaming};

use super::bounded;

/// Reads a stream and checks what holds for every one.
pub(crate) struct Messages {
    inner: Streaming<TaskResponse>,
    sequence: u64,
    end: Option<u64>,
}

/// How a stream ended, and what came before.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) outcome: Outcome,
    pub(crate) deltas: String,
    pub(crate) response: TaskResponse,
}

impl Messages {
    pub(super) fn new(inner: Streaming<TaskResponse>) -> Self {
        Self { inner, sequence: 0, end: None }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<TaskResponse>, Status> {
        let message = bounded(self.inner.message()).await?;
        if let Some(message) = &message {
            assert_eq!(message.sequence, self.sequence, "messages are numbered");
            self.sequence += 1;
            let end = *self.end.get_or_insert(message.offset);
            assert_eq!(message.offset, end, "text comes without gaps");
            self.end = Some(end + message.delta.len() as u64);
        }
        Ok(message)
    }

    /// The first message, which says that it runs.
    pub(crate) async fn started(&mut self) -> TaskResponse {
        let first = self.next().await.unwrap().unwrap();
        assert_eq!(first.status(), WorkerStatus::Processing);
        assert!(first.delta.is_empty() && first.outcome.is_none());
        first
    }

    /// The next piece of the text.
    pub(crate) async fn delta(&mut self) -> String {
        loop {
            let message = self.next().await.unwrap().unwrap();
            assert_eq!(message.status(), WorkerStatus::Processing);
            if !message.delta.is_empty() {
                return message.delta;
            }
        }
    }

    /// Reads to the end, which must be a good one as a stream.
    pub(crate) async fn last(mut self) -> Last {
        let mut deltas = String::new();
        loop {
            let message = self.next().await.unwrap().expect("ended without an outcome");
            deltas.push_str(&message.delta);
            if message.outcome.is_some() {
                assert!(self.next().await.unwrap().is_none(), "a message after the last");
                let outcome = read_outcome(message.clone()).unwrap();
                return Last { outcome, deltas, response: message };
            }
        }
    }

    /// Reads to the status that ends it.
    pub(crate) async fn broken(mut self) -> Status {
        loop {
            match self.next().await {
                Ok(message) => assert!(message.unwrap().outcome.is_none()),
                Err(status) => return status,
            }
        }
    }
}

impl Last {
    pub(crate) fn text(self) -> String {
        match self.outcome.end {
            End::Completed(Payload::Text(text)) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    pub(crate) fn body(self) -> Vec<u8> {
        match self.outcome.end {
            End::Completed(Payload::Body(body)) => body,
            other => panic!("no body: {other:?}"),
        }
    }

    pub(crate) fn failure(&self) -> &Failure {
        match &self.outcome.end {
            End::Failed(failure) => failure,
            other => panic!("not failed: {other:?}"),
        }
    }

    pub(crate) fn call(&self) -> &Call {
        &self.outcome.call
    }

    pub(crate) fn kind_and_delivery(&self) -> (FailureKind, Delivery) {
        (self.failure().kind, self.call().delivery)
    }
}

/// The code of a refusal.
pub(crate) fn code<T>(result: Result<T, Status>) -> Code {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(status) => status.code(),
    }
}
