//! What one change does to a task and its history. Both stores write what stands here, so
//! they cannot drift apart.

use taskfleet_core::{
    BootId, Lease, Timestamp,
    machine::{self, EndedLease, Event, Refusal},
    outcome::{Call, End, Payload},
    task::{Holder, TaskRecord},
};

use crate::{
    types::{Applied, Attempt, Change, StoredResult},
    words,
};

/// What is to be written for a change, and what is to be answered.
pub(crate) struct Decision {
    /// The answer; the number of an outcome is the store's to add.
    pub(crate) answer: Result<Applied, Refusal>,
    /// A line of the history, new or in place of the one with the same lease.
    pub(crate) attempt: Option<Attempt>,
    /// Set when the task ended.
    pub(crate) result: Option<StoredResult>,
}

/// A line of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Former {
    /// The one of this lease.
    Of(Lease),
    /// The last one.
    Last,
}

/// The line of the history that [`decide`] has to know: that of an outcome which comes after
/// its lease ended, and of a lease that is told not to have started though it was lost before;
/// and when time is over, the last one, for it says what kept the task.
pub(crate) fn former(record: &TaskRecord, event: &Event) -> Option<Former> {
    match event {
        Event::Ended { lease, .. } if record.holder.is_none() || *lease != record.lease => {
            Some(Former::Of(*lease))
        }
        Event::NotStarted { lease } => Some(Former::Of(*lease)),
        Event::Expire if record.counters.returns() > 0 => Some(Former::Last),
        _ => None,
    }
}

/// Applies `change` to `record`; `former` is the line that [`former`] names, if there is one.
pub(crate) fn decide(
    record: &mut TaskRecord,
    former: Option<Attempt>,
    change: Change,
    now: Timestamp,
) -> Decision {
    let before = Claim { holder: record.holder.clone(), at: record.claimed_at };
    let Change { event, jitter, .. } = change;
    let ended = match machine::apply(record, &event, now, jitter) {
        Ok(change) => change.ended,
        Err(refusal) => return refuse(refusal, former, &event),
    };
    let applied = Applied { record: record.clone(), ended, outcome: None };
    let error = record.state.is_terminal().then(|| words::of_task(&event, former.as_ref()));
    let attempt = ended.map(|ended| attempt(ended, before, former, &event, now));
    let result = error.map(|error| result(event, error));
    Decision { answer: Ok(applied), attempt, result }
}

/// An outcome that comes too late changes nothing, but what the call cost is still noted.
fn refuse(refusal: Refusal, former: Option<Attempt>, event: &Event) -> Decision {
    let attempt = match (former, event) {
        (Some(attempt), Event::Ended { outcome, .. }) => Some(learn(attempt, &outcome.call)),
        _ => None,
    };
    Decision { answer: Err(refusal), attempt, result: None }
}

/// What is known already stays where the late word is silent.
fn learn(mut attempt: Attempt, call: &Call) -> Attempt {
    attempt.usage = call.usage.or(attempt.usage);
    attempt.http_status = call.http_status.or(attempt.http_status);
    if !call.provider_request_id.is_empty() {
        attempt.provider_request_id.clone_from(&call.provider_request_id);
    }
    attempt
}

/// Who had the task before the change, and since when.
struct Claim {
    holder: Option<Holder>,
    at: Option<Timestamp>,
}

fn attempt(
    ended: EndedLease,
    claim: Claim,
    former: Option<Attempt>,
    event: &Event,
    now: Timestamp,
) -> Attempt {
    let call = match event {
        Event::Ended { outcome, .. } => Some(&outcome.call),
        _ => None,
    };
    // Of a lease that was lost: that its worker never heard of it takes nothing back.
    let was_paid = matches!(event, Event::NotStarted { .. })
        && former.as_ref().is_some_and(|former| former.possibly_paid);
    let (worker, boot_id, started_at) = whose(claim, former, now);
    Attempt {
        lease: ended.lease,
        worker,
        boot_id,
        started_at,
        ended_at: now,
        end: ended.end,
        kind: ended.kind,
        delivery: call.map(|call| call.delivery),
        http_status: call.and_then(|call| call.http_status),
        provider_request_id: call.map(|call| call.provider_request_id.clone()).unwrap_or_default(),
        usage: call.and_then(|call| call.usage),
        possibly_paid: ended.possibly_paid || was_paid,
        error: words::of_lease(event),
    }
}

/// A running task names its holder; of a lost one only the history still knows it.
fn whose(claim: Claim, former: Option<Attempt>, now: Timestamp) -> (String, BootId, Timestamp) {
    match (claim.holder, former) {
        (Some(holder), _) => (holder.name, holder.boot_id, claim.at.unwrap_or(now)),
        (None, Some(former)) => (former.worker, former.boot_id, former.started_at),
        (None, None) => (String::new(), BootId::from_bytes([0; 16]), claim.at.unwrap_or(now)),
    }
}

/// How a task ended with this event.
fn result(event: Event, error: String) -> StoredResult {
    let (payload, call) = match event {
        Event::Ended { outcome, .. } => match outcome.end {
            End::Completed(payload) => (Some(payload), Some(outcome.call)),
            _ => (None, Some(outcome.call)),
        },
        _ => (None, None),
    };
    let size_bytes = payload.as_ref().map_or(0, |payload| payload.as_bytes().len() as u64);
    let result = StoredResult { payload, size_bytes, error, ..StoredResult::empty() };
    match call {
        None => result,
        Some(call) => StoredResult {
            http_status: call.http_status,
            provider_request_id: call.provider_request_id,
            served_model: call.served_model,
            usage: call.usage,
            finish_reason: call.finish_reason,
            ..result
        },
    }
}

impl StoredResult {
    const fn empty() -> Self {
        Self {
            payload: None,
            size_bytes: 0,
            error: String::new(),
            http_status: None,
            provider_request_id: String::new(),
            served_model: String::new(),
            usage: None,
            finish_reason: String::new(),
        }
    }
}

/// The beginning of a payload, at most `max` bytes; text is cut between characters.
pub(crate) fn beginning(payload: &Payload, max: usize) -> Payload {
    match payload {
        Payload::Text(text) => Payload::Text(text[..text.floor_char_boundary(max)].to_owned()),
        Payload::Body(body) => Payload::Body(body[..body.len().min(max)].to_vec()),
    }
}
