//! Words that come after their lease has ended.

use taskfleet_core::{
    Lease,
    failure::{Delivery, FailureKind},
    machine::{Event, LeaseEnd, Refusal},
    outcome::{Call, End, Payload},
    task::TaskState,
};

use crate::harness::{Ground, at, completed, content, ended, failed, full_call, holder, usage};

pub(crate) async fn a_late_good_outcome_replaces_the_lost_line(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, Event::Lost { lease }, at(5)).await.unwrap();
    assert_eq!(ground.attempts(id).await[0].end, LeaseEnd::WorkerLost);
    let applied = ground.apply(id, completed(lease, "late"), at(9)).await.unwrap();
    assert_eq!((applied.record.state, applied.outcome), (TaskState::Completed, Some(1)));
    let detail = ground.detail(id).await;
    assert_eq!(detail.result.unwrap().payload, Some(Payload::Text("late".to_owned())));
    let [line] = &detail.attempts[..] else { panic!("one line") };
    assert_eq!((line.lease, line.end, line.kind), (lease, LeaseEnd::Completed, None));
    assert_eq!((line.worker.as_str(), line.boot_id), ("worker-1", holder(1).boot_id));
    assert_eq!((line.started_at, line.ended_at), (at(0), at(9)));
    assert_eq!((line.possibly_paid, line.usage), (false, Some(usage(3))));
}

pub(crate) async fn a_lost_lease_that_is_adopted_and_not_held_stays_possibly_paid(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, Event::Lost { lease }, at(1)).await.unwrap();
    assert!(ground.attempts(id).await[0].possibly_paid);
    ground.apply(id, Event::Adopt { lease, holder: holder(1) }, at(2)).await.unwrap();
    ground.apply(id, Event::NotStarted { lease }, at(3)).await.unwrap();
    assert!(ground.attempts(id).await[0].possibly_paid, "it may have been called before");
}

pub(crate) async fn a_stale_outcome_changes_nothing_but_its_usage_is_recorded(ground: &Ground) {
    let (id, old) = ground.running(content("text")).await;
    ground.apply(id, Event::Lost { lease: old }, at(1)).await.unwrap();
    let new = ground.claim(id, 2, at(2)).await;
    let before = ground.detail(id).await;
    assert_eq!(ground.apply(id, completed(old, "stale"), at(3)).await, Err(Refusal::Stale));
    let after = ground.detail(id).await;
    assert_eq!((after.record, after.result), (before.record, None));
    let [line] = &after.attempts[..] else { panic!("one line") };
    assert_eq!((line.usage, line.http_status), (Some(usage(3)), Some(200)));
    assert_eq!(line.provider_request_id, "req-3");
    assert_eq!((line.end, line.possibly_paid), (LeaseEnd::WorkerLost, true));
    assert_eq!((line.ended_at, &line.error), (at(1), &before.attempts[0].error));
    ground.apply(id, completed(new, "good"), at(4)).await.unwrap();
    assert_eq!(ground.attempts(id).await.len(), 2);
}

pub(crate) async fn the_usage_of_a_cancelled_call_is_recorded(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, Event::Cancel, at(1)).await.unwrap();
    let refused = ground.apply(id, ended(lease, End::Cancelled, full_call(4)), at(2)).await;
    assert_eq!(refused, Err(Refusal::Terminal(TaskState::Cancelled)));
    let detail = ground.detail(id).await;
    assert_eq!(detail.attempts[0].usage, Some(usage(4)));
    assert_eq!(detail.attempts[0].end, LeaseEnd::Cancelled);
    assert_eq!(detail.result.unwrap().usage, None);
}

pub(crate) async fn a_late_word_that_knows_less_takes_nothing_away(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, completed(lease, "done"), at(1)).await.unwrap();
    let before = ground.attempts(id).await;
    let knows_nothing = ended(lease, End::Released, Call::new(Delivery::NotSent));
    assert!(ground.apply(id, knows_nothing, at(2)).await.is_err());
    assert_eq!(ground.attempts(id).await, before);
}

pub(crate) async fn a_stale_outcome_without_a_line_leaves_no_trace(ground: &Ground) {
    let (id, _) = ground.running(content("text")).await;
    let stale = failed(Lease::new(3), FailureKind::ApiError, "who?");
    assert_eq!(ground.apply(id, stale, at(1)).await, Err(Refusal::Stale));
    assert!(ground.attempts(id).await.is_empty());
}
