//! Drives an execution on a worker that knows the published messages only: one call, which
//! nothing can attach to again. Dropping its stream cancels it, and with its connection it is
//! lost.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use taskfleet_core::{
    TaskId,
    failure::{Delivery, FailureKind},
    outcome::{Call, End, Failure, Outcome},
    task::TaskSpec,
};
use taskfleet_proto::{
    read_outcome,
    worker::{TaskRequest, TaskResponse, worker_service_client::WorkerServiceClient},
    write_work,
};
use taskfleet_runtime::{
    patience::answer_within,
    transport::{Link, MAX_MESSAGE_BYTES},
};
use tonic::{Code, Request, Status, Streaming};

use super::{Ending, Execution, closes_soon, refusal::is_transport, words::clean};

/// How long a start may keep others from being sent. Its answer may be a minute away: many
/// servers send not even their headers before the first message.
const PACE: Duration = Duration::from_millis(100);
/// How long an outcome is looked for that may have come while this process stood still.
const LAST_LOOK: Duration = Duration::from_millis(500);
/// The call's deadline on the wire lies so far behind our own, which decides.
const BEHIND: Duration = Duration::from_secs(5);
/// How long a worker may take to end its stream after its last message.
const REST_WITHIN: Duration = Duration::from_secs(1);

/// What a worker may still send after its last message.
pub(super) type Rest = Streaming<TaskResponse>;

/// Waits until the worker has ended its stream too: one that counts its calls would refuse
/// the next task as long as this one's is open.
pub(super) async fn end(rest: Option<Rest>) {
    let Some(mut rest) = rest else { return };
    let draining = async { while let Ok(Some(_)) = rest.message().await {} };
    // Whatever comes now, or does not, changes nothing.
    let _ = tokio::time::timeout(REST_WITHIN, draining).await;
}

impl Execution {
    /// Sends the task and waits for its outcome, as long as an attempt may take. There is no
    /// time limit for the first message: nothing tells a slow worker from one that never got
    /// the request, and to ask again would be a second call.
    pub(super) async fn call_published(&mut self, spec: Option<Arc<TaskSpec>>) -> Ending {
        // Nothing leads back to a stream whose driver has failed.
        let Some(spec) = spec else { return Ending::Lost };
        let Some(link) = self.member.link().await else { return Ending::Gone };
        let limit = self.record.remaining_attempt_time(self.engine.time.now());
        let request = self.published_request(&spec, limit);
        drop(spec);
        self.sent = true;
        let ended = {
            let mut calling = std::pin::pin!(self.call(&link, request));
            match tokio::time::timeout(limit, &mut calling).await {
                Ok(ended) => Some(ended),
                Err(_) => answer_within(LAST_LOOK, calling).await.ok(),
            }
        };
        match ended {
            Some(Ok((outcome, rest))) => {
                self.rest = Some(rest);
                Ending::Ended(outcome)
            }
            Some(Err(ending)) => ending,
            None => {
                let message = "the worker did not end the attempt in its time";
                Ending::Ended(Outcome::failed(FailureKind::Timeout, Delivery::Sent, message))
            }
        }
    }

    /// Only what is published, and the deadline where gRPC has its own place for it.
    fn published_request(&self, spec: &TaskSpec, limit: Duration) -> Request<TaskRequest> {
        let mut task =
            TaskRequest { task_id: self.held.task.to_string(), ..TaskRequest::default() };
        write_work(&mut task, &spec.work);
        task.api_key = self.engine.key_for(&self.member);
        let mut request = Request::new(task);
        request.set_timeout(limit + BEHIND);
        request
    }

    async fn call(
        &self,
        link: &Link,
        request: Request<TaskRequest>,
    ) -> Result<(Outcome, Rest), Ending> {
        let mut client = WorkerServiceClient::new(link.channel())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let mut opening = std::pin::pin!(client.process_task(request));
        let opened = match self.member.starts.acquire().await {
            Ok(_permit) => tokio::time::timeout(PACE, &mut opening).await,
            Err(_) => return Err(Ending::NotStarted),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(_) => opening.await,
        };
        match opened {
            Ok(answer) => self.hear_out(link, answer.into_inner()).await,
            Err(status) => Err(self.ended_by(link, &status, Heard::Nothing).await),
        }
    }

    async fn hear_out(
        &self,
        link: &Link,
        mut messages: Streaming<TaskResponse>,
    ) -> Result<(Outcome, Rest), Ending> {
        let mut heard = Heard::Headers;
        loop {
            match messages.message().await {
                Ok(Some(message)) => {
                    self.member.hear(self.engine.time.micros());
                    if let Some(outcome) = last_word(self.held.task, message, self.key()) {
                        return Ok((outcome, messages));
                    }
                    heard = Heard::Progress;
                }
                Ok(None) => return Err(failed(FailureKind::Internal, NO_LAST_MESSAGE)),
                Err(status) => return Err(self.ended_by(link, &status, heard).await),
            }
        }
    }

    /// What a status means that ended the call.
    async fn ended_by(&self, link: &Link, status: &Status, heard: Heard) -> Ending {
        if link.never_took(status) {
            self.member.rest(&self.engine);
            return Ending::NotStarted;
        }
        if is_transport(status) && closes_soon(link).await {
            return Ending::Lost;
        }
        match (status.code(), heard) {
            // Ours, about an answer that is larger than we take; theirs comes without headers.
            (Code::OutOfRange, Heard::Headers | Heard::Progress) => Ending::Ended(too_large()),
            (_, Heard::Progress) => self.internal(status),
            _ if is_transport(status) => self.internal(status),
            (Code::ResourceExhausted | Code::Unavailable | Code::OutOfRange, _) => {
                self.member.rest(&self.engine);
                Ending::NotStarted
            }
            (Code::Unimplemented, _) => {
                self.cannot(status);
                Ending::NotStarted
            }
            // Its own reasons are unknown to us: the API may have been called.
            _ => self.internal(status),
        }
    }

    fn internal(&self, status: &Status) -> Ending {
        let message = format!("the worker answered {:?}: {}", status.code(), status.message());
        failed(FailureKind::Internal, &clean(&message, self.key()))
    }

    /// The key that workers may have been handed.
    pub(super) fn key(&self) -> Option<&str> {
        self.engine.settings.api_key.as_ref().map(|key| key.expose_secret())
    }
}

const NO_LAST_MESSAGE: &str = "the worker ended its stream without saying how the task ended";

/// What came before a call ended.
#[derive(Clone, Copy)]
enum Heard {
    Nothing,
    Headers,
    Progress,
}

/// The outcome, when this is the last message. PROCESSING, with or without text, and statuses
/// that are unknown here say that the worker lives, and nothing else: whether a text in them
/// is a piece or the whole so far is not published.
fn last_word(task: TaskId, mut message: TaskResponse, key: Option<&str>) -> Option<Outcome> {
    let named: Option<TaskId> = message.task_id.parse().ok();
    if !message.task_id.is_empty() && named != Some(task) {
        let problem = "the worker answered for another task";
        return Some(Outcome::failed(FailureKind::BadResponse, Delivery::Sent, problem));
    }
    // Who knows the published part alone has no such field: whatever stands there is not ours.
    message.outcome = None;
    let mut outcome = read_outcome(message)?;
    if let End::Failed(failure) = &mut outcome.end {
        failure.message = clean(&failure.message, key);
    }
    Some(outcome)
}

fn too_large() -> Outcome {
    Outcome { end: End::Failed(Failure::too_large()), call: Call::new(Delivery::Answered) }
}

fn failed(kind: FailureKind, message: &str) -> Ending {
    Ending::Ended(Outcome::failed(kind, Delivery::Sent, message))
}

#[cfg(test)]
mod tests {
    use taskfleet_core::{Timestamp, limits::MAX_RESULT_BYTES, outcome::Payload};
    use taskfleet_proto::worker::{self, WorkerStatus};

    use super::{super::words::MAX_WORDS, *};

    fn task() -> TaskId {
        TaskId::new(Timestamp::from_unix_millis(1), [1; 10])
    }

    fn says(status: WorkerStatus, result: &str, error: &str) -> TaskResponse {
        TaskResponse {
            task_id: task().to_string(),
            result: result.into(),
            error: error.into(),
            status: status.into(),
            ..TaskResponse::default()
        }
    }

    fn kind(message: TaskResponse) -> FailureKind {
        match last_word(task(), message, None).unwrap().end {
            End::Failed(failure) => failure.kind,
            other => panic!("not failed: {other:?}"),
        }
    }

    #[test]
    fn progress_is_not_the_end_whatever_it_carries() {
        assert_eq!(last_word(task(), says(WorkerStatus::Processing, "", ""), None), None);
        assert_eq!(last_word(task(), says(WorkerStatus::Processing, "half", "odd"), None), None);
        assert_eq!(last_word(task(), says(WorkerStatus::Unknown, "half", ""), None), None);
        assert_eq!(
            last_word(task(), TaskResponse { status: 77, ..TaskResponse::default() }, None),
            None
        );
    }

    #[test]
    fn a_completed_task_has_its_result_whatever_else_is_said() {
        for (message, text) in [
            (says(WorkerStatus::Completed, "done", "and an error"), "done"),
            (says(WorkerStatus::Completed, "", ""), ""),
            (
                TaskResponse { task_id: String::new(), ..says(WorkerStatus::Completed, "x", "") },
                "x",
            ),
            (
                TaskResponse {
                    outcome: Some(worker::Outcome::default()),
                    ..says(WorkerStatus::Completed, "y", "")
                },
                "y",
            ),
        ] {
            let outcome = last_word(task(), message, None).unwrap();
            assert_eq!(outcome.end, End::Completed(Payload::Text(text.into())));
            assert_eq!(outcome.call.usage, None);
        }
    }

    #[test]
    fn the_result_of_another_task_is_nobodys() {
        let mut message = says(WorkerStatus::Completed, "not yours", "");
        message.task_id = TaskId::from_bytes([9; 16]).to_string();
        assert_eq!(kind(message.clone()), FailureKind::BadResponse);
        message.task_id = "7".into();
        assert_eq!(kind(message), FailureKind::BadResponse);
    }

    #[test]
    fn a_failure_is_an_api_error_whose_words_are_bounded() {
        assert_eq!(kind(says(WorkerStatus::Failed, "ignored", "no")), FailureKind::ApiError);
        let long = "ü".repeat(MAX_WORDS);
        let outcome = last_word(task(), says(WorkerStatus::Failed, "", &long), None).unwrap();
        let End::Failed(failure) = outcome.end else { panic!("not failed") };
        assert!(failure.message.len() <= MAX_WORDS + '…'.len_utf8());
        assert!(failure.message.starts_with('ü') && failure.message.ends_with('…'));
    }

    #[test]
    fn a_result_over_the_limit_is_a_bad_response() {
        let message = says(WorkerStatus::Completed, &"x".repeat(MAX_RESULT_BYTES + 1), "");
        assert_eq!(kind(message), FailureKind::BadResponse);
    }

    #[test]
    fn no_key_stands_in_its_words_not_even_where_they_are_cut() {
        let words = format!("{}hunter2 refused, and sk-abc", "x".repeat(MAX_WORDS - 3));
        for (words, key) in [(words.as_str(), "hunter2"), ("no: hunter2, sk-abc", "hunter2")] {
            let outcome = last_word(task(), says(WorkerStatus::Failed, "", words), Some(key));
            let End::Failed(failure) = outcome.unwrap().end else { panic!("not failed") };
            assert!(failure.message.contains("[ke"), "{}", failure.message);
            assert!(!failure.message.contains("hun") && !failure.message.contains("sk-"));
        }
    }
}
