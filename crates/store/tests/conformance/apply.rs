//! Applying events, and the history that they leave.

use taskfleet_core::{
    Lease, TaskId,
    failure::{Delivery, FailureKind},
    limits,
    machine::{Event, LeaseEnd, Refusal},
    outcome::{Call, End, Failure, Payload},
    task::{Counters, TaskSpec, TaskState, TraceContext},
};
use taskfleet_store::{Attempt, StoredResult, Trace};

use crate::harness::{
    Ground, LONG, at, change, completed, content, ended, failed, full_call, holder, keyed, usage,
};

pub(crate) async fn leases_rise_and_attempts_are_remembered_in_order(ground: &Ground) {
    let (id, first) = ground.running(content("text")).await;
    ground.apply(id, failed(first, FailureKind::ApiError, "first"), at(10)).await.unwrap();
    let second = ground.claim(id, 2, at(100)).await;
    ground.apply(id, Event::Lost { lease: second }, at(110)).await.unwrap();
    let third = ground.claim(id, 3, at(200)).await;
    let applied = ground.apply(id, completed(third, "done"), at(210)).await.unwrap();
    assert!(Lease::NONE < first && first < second && second < third);
    assert_eq!(applied.ended.map(|ended| ended.lease), Some(third));
    assert_eq!(applied.outcome, Some(1));
    assert_eq!(applied.record, ground.detail(id).await.record);
    let attempts = ground.attempts(id).await;
    assert_eq!(attempts[0], first_attempt(first));
    assert_eq!(attempts[1], second_attempt(second));
    assert_eq!(attempts[2], third_attempt(third));
    assert_eq!(attempts.len(), 3);
}

fn first_attempt(lease: Lease) -> Attempt {
    Attempt {
        lease,
        worker: "worker-1".to_owned(),
        boot_id: holder(1).boot_id,
        started_at: at(0),
        ended_at: at(10),
        end: LeaseEnd::Failed,
        kind: Some(FailureKind::ApiError),
        delivery: Some(Delivery::Answered),
        http_status: Some(500),
        provider_request_id: String::new(),
        usage: None,
        possibly_paid: true,
        error: "first".to_owned(),
    }
}

fn second_attempt(lease: Lease) -> Attempt {
    Attempt {
        worker: "worker-2".to_owned(),
        boot_id: holder(2).boot_id,
        started_at: at(100),
        ended_at: at(110),
        end: LeaseEnd::WorkerLost,
        kind: Some(FailureKind::WorkerLost),
        delivery: None,
        http_status: None,
        error: "the worker died, hung or was cut off".to_owned(),
        ..first_attempt(lease)
    }
}

fn third_attempt(lease: Lease) -> Attempt {
    Attempt {
        worker: "worker-3".to_owned(),
        boot_id: holder(3).boot_id,
        started_at: at(200),
        ended_at: at(210),
        end: LeaseEnd::Completed,
        kind: None,
        http_status: Some(200),
        provider_request_id: "req-3".to_owned(),
        usage: Some(usage(3)),
        possibly_paid: false,
        error: String::new(),
        ..first_attempt(lease)
    }
}

pub(crate) async fn a_completed_task_keeps_its_payload_and_what_the_call_said(ground: &Ground) {
    let payloads = [
        Payload::Text("Grüße\u{0} 🦀".to_owned()),
        Payload::Text(String::new()),
        Payload::Body(vec![0, 255, 128, 10]),
        Payload::Body(vec![]),
        Payload::Body(vec![b'x'; 16 << 20]),
    ];
    for payload in payloads {
        let (id, lease) = ground.running(content("text")).await;
        let event = ended(lease, End::Completed(payload.clone()), full_call(5));
        ground.apply(id, event, at(1)).await.unwrap();
        let result = ground.detail(id).await.result.unwrap();
        assert!(result.payload.as_ref() == Some(&payload), "the payload came back changed");
        let expected = StoredResult {
            size_bytes: payload.as_bytes().len() as u64,
            payload: Some(payload),
            error: String::new(),
            http_status: Some(200),
            provider_request_id: "req-5".to_owned(),
            served_model: "model-2026-11".to_owned(),
            usage: Some(usage(5)),
            finish_reason: "stop".to_owned(),
        };
        assert_eq!(result, expected);
    }
}

pub(crate) async fn a_failed_task_keeps_the_reason(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    let event = failed(lease, FailureKind::InvalidRequest, "no such model");
    let applied = ground.apply(id, event, at(1)).await.unwrap();
    assert_eq!((applied.record.state, applied.outcome), (TaskState::Failed, Some(1)));
    let detail = ground.detail(id).await;
    assert_eq!(detail.record.kind, Some(FailureKind::InvalidRequest));
    assert_eq!(detail.record.finished_at, Some(at(1)));
    let result = detail.result.unwrap();
    assert_eq!((result.payload, result.size_bytes), (None, 0));
    assert_eq!((result.error.as_str(), result.http_status), ("no such model", Some(500)));
}

async fn error_after(ground: &Ground, id: TaskId) -> String {
    ground.detail(id).await.result.unwrap().error
}

pub(crate) async fn a_task_that_ends_without_a_workers_word_says_why(ground: &Ground) {
    let cancelled = ground.queued(content("text")).await;
    ground.apply(cancelled, Event::Cancel, at(1)).await.unwrap();
    assert_eq!(error_after(ground, cancelled).await, "cancelled by its client");
    assert!(ground.attempts(cancelled).await.is_empty());

    let (expired, _) = ground.running(content("text")).await;
    ground.apply(expired, Event::Expire, at(0) + LONG).await.unwrap();
    assert_eq!(error_after(ground, expired).await, "its deadline passed");
    assert_eq!(ground.attempts(expired).await[0].end, LeaseEnd::Expired);

    let late = LONG + LONG;
    let mut spec = content("text");
    spec.deadline = late;
    let (unreachable, lease) = ground.running(spec).await;
    let failure =
        Failure::new(FailureKind::Connection, "could not connect to the model API at nowhere:1");
    let event = ended(lease, End::Failed(failure), Call::new(Delivery::NotSent));
    ground.apply(unreachable, event, at(1)).await.unwrap();
    let expected = "its deadline passed; its last try before that (connection): could not \
        connect to the model API at nowhere:1";
    let lease = ground.claim(unreachable, 1, at(0) + LONG).await;
    assert!(lease > Lease::NONE);
    ground.apply(unreachable, Event::Expire, at(0) + late).await.unwrap();
    assert_eq!(error_after(ground, unreachable).await, expected);

    let lost = repeat(ground, limits::MAX_WORKER_LOSSES, |lease| Event::Lost { lease }).await;
    assert!(error_after(ground, lost).await.contains("too often"));
    let loops = repeat(ground, limits::MAX_REQUEUES, |lease| Event::NotStarted { lease }).await;
    assert!(error_after(ground, loops).await.contains("too often"));
    let cut_off = repeat(ground, limits::MAX_REQUEUES, |lease| Event::CutOff { lease }).await;
    assert!(ground.attempts(cut_off).await.iter().all(|attempt| attempt.possibly_paid));
}

/// A task that ends when this happens to it that often.
async fn repeat(ground: &Ground, times: u32, event: impl Fn(Lease) -> Event) -> TaskId {
    let id = ground.queued(content("text")).await;
    for round in 0..times {
        let now = at(u64::from(round) * 100);
        let lease = ground.claim(id, 1, now).await;
        ground.apply(id, event(lease), now).await.unwrap();
    }
    assert_eq!(ground.detail(id).await.record.state, TaskState::Failed);
    assert_eq!(ground.attempts(id).await.len(), times as usize);
    id
}

pub(crate) async fn throttles_hand_backs_and_losses_are_counted_apart(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    let throttled = failed(lease, FailureKind::RateLimited, "slow down");
    ground.apply(id, throttled, at(0)).await.unwrap();
    let lease = ground.claim(id, 1, at(100)).await;
    let released = ended(lease, End::Released, Call::new(Delivery::NotSent));
    ground.apply(id, released, at(100)).await.unwrap();
    let lease = ground.claim(id, 1, at(200)).await;
    ground.apply(id, Event::Lost { lease }, at(200)).await.unwrap();
    let lease = ground.claim(id, 1, at(300)).await;
    ground.apply(id, failed(lease, FailureKind::Timeout, "late"), at(300)).await.unwrap();
    let expected = Counters { attempts: 1, losses: 1, throttles: 1, requeues: 1 };
    assert_eq!(ground.detail(id).await.record.counters, expected);
    let ends = ground.attempts(id).await.into_iter().map(|attempt| attempt.end);
    let expected =
        [LeaseEnd::Throttled, LeaseEnd::Requeued, LeaseEnd::WorkerLost, LeaseEnd::Failed];
    assert_eq!(ends.collect::<Vec<_>>(), expected);
}

pub(crate) async fn the_trace_of_a_lease_is_the_clients_context_and_that_lease_alone(
    ground: &Ground,
) {
    let context = TraceContext { traceparent: "parent".into(), tracestate: String::new() };
    let traced = TaskSpec { trace: Some(context.clone()), ..content("text") };
    let (id, first) = ground.running(traced).await;
    let trace = async |id, lease| ground.store.trace(id, lease).await.unwrap();
    let running = Trace { context: Some(context), attempt: None };
    assert_eq!(trace(id, first).await, Some(running.clone()), "it has not ended");
    ground.apply(id, failed(first, FailureKind::ApiError, "first"), at(10)).await.unwrap();
    let second = ground.claim(id, 2, at(100)).await;
    ground.apply(id, Event::Lost { lease: second }, at(110)).await.unwrap();
    for (lease, attempt) in [(first, first_attempt(first)), (second, second_attempt(second))] {
        let expected = Trace { attempt: Some(attempt), ..running.clone() };
        assert_eq!(trace(id, lease).await, Some(expected));
    }
    let waits = ground.queued(content("text")).await;
    let nothing = Trace { context: None, attempt: None };
    assert_eq!(trace(waits, Lease::NONE).await, Some(nothing));
    assert_eq!(trace(TaskId::from_bytes([9; 16]), first).await, None);
}

pub(crate) async fn a_backoff_is_kept(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, failed(lease, FailureKind::ApiError, ""), at(10)).await.unwrap();
    assert_eq!(ground.detail(id).await.record.not_before, Some(at(11)));
    let epoch = ground.store.identity().epoch;
    let claim = Event::Claim { holder: holder(1), epoch };
    assert_eq!(ground.apply(id, claim.clone(), at(10)).await, Err(Refusal::NotReady));
    ground.apply(id, claim, at(11)).await.unwrap();
    assert_eq!(ground.detail(id).await.record.not_before, None);
}

pub(crate) async fn terminal_states_never_change(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, completed(lease, "first"), at(1)).await.unwrap();
    let before = ground.detail(id).await;
    let events = [
        completed(lease, "second"),
        failed(lease, FailureKind::ApiError, "late"),
        Event::Lost { lease },
        Event::NotStarted { lease },
        Event::CutOff { lease },
        Event::Adopt { lease: Lease::new(u64::MAX >> 1), holder: holder(2) },
        Event::Claim { holder: holder(2), epoch: ground.store.identity().epoch },
        Event::Cancel,
        Event::Expire,
    ];
    for event in events {
        let refused = ground.apply(id, event, at(2) + LONG).await;
        assert_eq!(refused, Err(Refusal::Terminal(TaskState::Completed)));
    }
    let after = ground.detail(id).await;
    assert_eq!((after.record, after.result), (before.record, before.result));
    assert_eq!(ground.store.last_outcome(), 1);
}

pub(crate) async fn a_cancel_on_condition_is_decided_by_the_state_that_is_written(ground: &Ground) {
    let (began, waits) = (ground.queued(content("a")).await, ground.queued(content("b")).await);
    let epoch = ground.store.identity().epoch;
    let only_queued = Event::CancelIf { state: TaskState::Queued };
    // Both were seen queued; the first is claimed in the very transaction of its cancel.
    let changes = vec![
        change(began, Event::Claim { holder: holder(1), epoch }),
        change(began, only_queued.clone()),
        change(waits, only_queued),
    ];
    let answers = ground.store.apply(changes, at(1)).await.unwrap();
    let lease = answers[0].as_ref().unwrap().record.lease;
    assert_eq!(answers[1], Err(Refusal::OtherState(TaskState::Running)));
    assert_eq!(answers[2].as_ref().unwrap().record.state, TaskState::Cancelled);
    assert_eq!(error_after(ground, waits).await, "cancelled by its client");
    ground.apply(began, completed(lease, "goes on"), at(2)).await.unwrap();
}

pub(crate) async fn a_refusal_does_not_touch_the_other_changes(ground: &Ground) {
    let (one, lease_one) = ground.running(content("one")).await;
    let (two, lease_two) = ground.running(content("two")).await;
    let changes = vec![
        change(one, completed(lease_one, "one")),
        change(two, completed(Lease::new(1), "stale")),
        change(TaskId::from_bytes([9; 16]), Event::Cancel),
        change(two, completed(lease_two, "two")),
    ];
    let answers = ground.store.apply(changes, at(1)).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap().outcome, Some(1));
    assert_eq!(answers[1], Err(Refusal::Stale));
    assert_eq!(answers[2], Err(Refusal::Unknown));
    assert_eq!(answers[3].as_ref().unwrap().outcome, Some(2));
}

pub(crate) async fn each_change_of_a_call_sees_the_former(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    let epoch = ground.store.identity().epoch;
    let next = lease.next(epoch);
    let changes = vec![
        change(id, Event::Lost { lease }),
        change(id, Event::Claim { holder: holder(2), epoch }),
        change(id, completed(lease, "stale")),
        change(id, completed(next, "good")),
        change(id, completed(next, "again")),
        change(id, Event::Cancel),
    ];
    let answers = ground.store.apply(changes, at(1)).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap().record.state, TaskState::Queued);
    assert_eq!(answers[1].as_ref().unwrap().record.lease, next);
    assert_eq!(answers[2], Err(Refusal::Stale));
    assert_eq!(answers[3].as_ref().unwrap().outcome, Some(1));
    assert_eq!(answers[4], Err(Refusal::Terminal(TaskState::Completed)));
    assert_eq!(answers[5], Err(Refusal::Terminal(TaskState::Completed)));
    let detail = ground.detail(id).await;
    assert_eq!(detail.result.unwrap().payload, Some(Payload::Text("good".to_owned())));
    assert_eq!(detail.attempts.len(), 2);
}

pub(crate) async fn an_unknown_task_is_refused(ground: &Ground) {
    let refused = ground.apply(TaskId::from_bytes([9; 16]), Event::Cancel, at(1)).await;
    assert_eq!(refused, Err(Refusal::Unknown));
}

pub(crate) async fn a_restarted_supervisor_adopts_what_workers_hold(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    let moved = Event::Adopt { lease, holder: holder(2) };
    let applied = ground.apply(id, moved, at(1)).await.unwrap();
    assert_eq!((applied.ended, applied.record.holder), (None, Some(holder(2))));

    let later = Lease::new(lease.number() + 5);
    let adopted = Event::Adopt { lease: later, holder: holder(3) };
    let applied = ground.apply(id, adopted, at(2)).await.unwrap();
    assert_eq!(applied.ended.map(|ended| ended.lease), Some(lease));
    let line = ground.attempts(id).await.remove(0);
    assert_eq!((line.worker.as_str(), line.end), ("worker-2", LeaseEnd::Requeued));

    let running = ground.store.running().await.unwrap().remove(0);
    assert_eq!((running.lease, running.holder), (later, holder(3)));
}

pub(crate) async fn contents_results_and_keys_are_in_no_debug_output(ground: &Ground) {
    let secret = "geheim";
    let (id, lease) = ground.running(keyed(secret, "key")).await;
    ground.apply(id, completed(lease, secret), at(1)).await.unwrap();
    let said = format!("{:?} {:?}", ground.detail(id).await, ground.store.counts());
    assert!(!said.contains(secret), "{said}");
}
