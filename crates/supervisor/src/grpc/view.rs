//! Tasks as clients see them.

use prost_types::Timestamp as WireTimestamp;
use taskfleet_core::{
    Timestamp,
    failure::FailureKind,
    machine::LeaseEnd,
    outcome::Payload,
    task::{Counters, TaskRecord, TaskState},
};
use taskfleet_proto::{v1, worker};
use taskfleet_store::{Attempt, StoredResult, TaskDetail};

pub(super) fn timestamp(at: Timestamp) -> WireTimestamp {
    let millis = i64::try_from(at.unix_millis()).unwrap_or(i64::MAX);
    let nanos = i32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000;
    WireTimestamp { seconds: millis / 1_000, nanos }
}

pub(super) fn task(detail: TaskDetail) -> v1::Task {
    let TaskDetail { record, meta, attempts, result } = detail;
    let mut task = v1::Task {
        id: record.id.to_string(),
        lease: record.lease.number(),
        counters: Some(counters(record.counters)),
        priority: record.priority,
        tenant: meta.tenant,
        group: meta.group,
        client_ref: meta.client_ref.unwrap_or_default(),
        parent_id: meta.parent_id.map(|id| id.to_string()).unwrap_or_default(),
        labels: meta.labels.into_iter().collect(),
        model: record.model.clone().unwrap_or_default(),
        endpoint: meta.endpoint.map(|endpoint| endpoint.path().to_owned()).unwrap_or_default(),
        created_at: Some(timestamp(record.created_at)),
        deadline: Some(timestamp(record.deadline)),
        not_before: record.not_before.map(timestamp),
        started_at: record.claimed_at.map(timestamp),
        finished_at: record.finished_at.map(timestamp),
        worker: record.holder.as_ref().map(|holder| holder.name.clone()).unwrap_or_default(),
        attempts: told(&attempts).map(attempt).chain(live_attempt(&record)).collect(),
        retry_of: meta.retry_of.map(|id| id.to_string()).unwrap_or_default(),
        ..v1::Task::default()
    };
    task.set_state(record.state.into());
    task.set_kind(kind(record.kind));
    task.result = result.map(|result| stored_result(result, record.kind));
    task
}

/// The first ten and the last ninety: a task that was throttled for hours has thousands, and
/// a message has a limit. The counters tell how many there were.
fn told(attempts: &[Attempt]) -> impl Iterator<Item = &Attempt> {
    let first = attempts.len().min(10);
    let last = attempts.len().saturating_sub(90).max(first);
    attempts[..first].iter().chain(&attempts[last..])
}

pub(super) fn counters(counters: Counters) -> v1::Counters {
    v1::Counters {
        attempts: counters.attempts,
        worker_losses: counters.losses,
        throttles: counters.throttles,
        requeues: counters.requeues,
    }
}

pub(super) fn kind(kind: Option<FailureKind>) -> worker::FailureKind {
    kind.map_or(worker::FailureKind::Unspecified, Into::into)
}

fn stored_result(result: StoredResult, failed: Option<FailureKind>) -> v1::TaskResult {
    let mut wire = v1::TaskResult {
        size_bytes: result.size_bytes,
        error: result.error,
        http_status: result.http_status.map_or(0, u32::from),
        provider_request_id: result.provider_request_id,
        served_model: result.served_model,
        usage: result.usage.map(Into::into),
        finish_reason: result.finish_reason,
        ..v1::TaskResult::default()
    };
    match result.payload {
        Some(Payload::Text(text)) => wire.text = text,
        Some(Payload::Body(body)) => wire.body = body,
        None => {}
    }
    wire.truncated = ((wire.text.len() + wire.body.len()) as u64) < result.size_bytes;
    wire.set_kind(kind(failed));
    wire
}

fn attempt(attempt: &Attempt) -> v1::Attempt {
    let mut wire = v1::Attempt {
        lease: attempt.lease.number(),
        worker: attempt.worker.clone(),
        boot_id: attempt.boot_id.to_string(),
        started_at: Some(timestamp(attempt.started_at)),
        ended_at: Some(timestamp(attempt.ended_at)),
        http_status: attempt.http_status.map_or(0, u32::from),
        provider_request_id: attempt.provider_request_id.clone(),
        usage: attempt.usage.map(Into::into),
        possibly_paid: attempt.possibly_paid,
        error: attempt.error.clone(),
        ..v1::Attempt::default()
    };
    wire.set_end(match attempt.end {
        LeaseEnd::Completed => v1::AttemptEnd::Completed,
        LeaseEnd::Failed => v1::AttemptEnd::Failed,
        LeaseEnd::Throttled => v1::AttemptEnd::Throttled,
        LeaseEnd::WorkerLost => v1::AttemptEnd::WorkerLost,
        LeaseEnd::Requeued => v1::AttemptEnd::Requeued,
        LeaseEnd::Cancelled => v1::AttemptEnd::Cancelled,
        LeaseEnd::Expired => v1::AttemptEnd::Expired,
    });
    wire.set_kind(kind(attempt.kind));
    wire.set_delivery(attempt.delivery.map_or(worker::Delivery::Unspecified, Into::into));
    wire
}

/// The execution that runs, which has no line in the history yet.
fn live_attempt(record: &TaskRecord) -> Option<v1::Attempt> {
    let holder = record.holder.as_ref().filter(|_| record.state == TaskState::Running)?;
    let mut wire = v1::Attempt {
        lease: record.lease.number(),
        worker: holder.name.clone(),
        boot_id: holder.boot_id.to_string(),
        started_at: record.claimed_at.map(timestamp),
        ..v1::Attempt::default()
    };
    wire.set_end(v1::AttemptEnd::Running);
    Some(wire)
}
