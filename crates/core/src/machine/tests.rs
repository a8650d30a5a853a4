use std::time::Duration;

use super::*;
use crate::{
    BootId, TaskId,
    outcome::{Call, Payload},
    task::{Content, Counters, TaskSpec, Work},
};

const EPOCH: Epoch = Epoch::new(7);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + seconds * 1_000)
}

fn holder(n: u8) -> Holder {
    Holder {
        boot_id: BootId::from_bytes([n; 16]),
        name: format!("worker-{n}"),
        address: "127.0.0.1:1".into(),
    }
}

fn queued() -> TaskRecord {
    let work = Work::Content(Content { text: "hi".into(), ..Content::default() });
    TaskSpec::new(work).record(TaskId::new(at(0), [1; 10]), at(0))
}

#[expect(clippy::needless_pass_by_value, reason = "events are written where they happen")]
fn step(task: &mut TaskRecord, event: Event, now: Timestamp) -> Result<Change, Refusal> {
    apply(task, &event, now, Jitter::new(1.0))
}

fn running() -> TaskRecord {
    let mut task = queued();
    step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, at(0)).unwrap();
    task
}

fn ended(lease: Lease, end: End, delivery: Delivery) -> Event {
    Event::Ended { lease, outcome: Outcome { end, call: Call::new(delivery) } }
}

fn completed(lease: Lease) -> Event {
    ended(lease, End::Completed(Payload::Text("ok".into())), Delivery::Answered)
}

fn failed(lease: Lease, kind: FailureKind) -> Event {
    let failure = Failure::new(kind, "");
    ended(lease, End::Failed(failure), Delivery::Answered)
}

#[test]
fn a_claim_raises_the_lease_and_an_outcome_under_it_ends_the_task() {
    let mut task = running();
    assert_eq!(task.state, TaskState::Running);
    let lease = task.lease;
    let change = step(&mut task, completed(lease), at(1)).unwrap();
    assert_eq!(task.state, TaskState::Completed);
    assert_eq!(change.ended.unwrap().end, LeaseEnd::Completed);
    assert!(!change.ended.unwrap().possibly_paid);
}

#[test]
fn terminal_states_never_change() {
    let mut task = running();
    let lease = task.lease;
    step(&mut task, Event::Cancel, at(1)).unwrap();
    let before = task.clone();
    for event in [
        completed(lease),
        Event::Cancel,
        Event::Lost { lease },
        Event::Adopt { lease: Lease::new(u64::MAX), holder: holder(2) },
        Event::Claim { holder: holder(2), epoch: EPOCH },
    ] {
        let refusal = step(&mut task, event, at(2));
        assert_eq!(refusal, Err(Refusal::Terminal(TaskState::Cancelled)));
    }
    assert_eq!(task, before);
}

#[test]
fn a_cancel_on_condition_leaves_a_task_alone_that_is_in_another_state_by_now() {
    use TaskState::{Cancelled, Queued, Running};
    for (mut task, is, other) in [(queued(), Queued, Running), (running(), Running, Queued)] {
        let before = task.clone();
        let refusal = step(&mut task, Event::CancelIf { state: other }, at(1));
        assert_eq!(refusal, Err(Refusal::OtherState(is)));
        assert_eq!(task, before);
        step(&mut task, Event::CancelIf { state: is }, at(1)).unwrap();
        assert_eq!((task.state, task.kind), (Cancelled, Some(FailureKind::Cancelled)));
        let refusal = step(&mut task, Event::CancelIf { state: is }, at(2));
        assert_eq!(refusal, Err(Refusal::Terminal(Cancelled)));
    }
}

#[test]
fn a_stale_outcome_changes_nothing() {
    let mut task = running();
    let old = task.lease;
    step(&mut task, Event::Lost { lease: old }, at(1)).unwrap();
    step(&mut task, Event::Claim { holder: holder(2), epoch: EPOCH }, at(1)).unwrap();
    assert!(task.lease > old);
    assert_eq!(step(&mut task, completed(old), at(2)), Err(Refusal::Stale));
    assert_eq!(task.state, TaskState::Running);
}

#[test]
fn until_the_next_claim_a_lost_lease_still_delivers_a_good_outcome_but_no_bad_one() {
    let mut task = running();
    let lease = task.lease;
    step(&mut task, Event::Lost { lease }, at(1)).unwrap();
    let late_failure = failed(lease, FailureKind::InvalidRequest);
    assert_eq!(step(&mut task, late_failure, at(1)), Err(Refusal::Stale));
    step(&mut task, completed(lease), at(2)).unwrap();
    assert_eq!(task.state, TaskState::Completed);
}

#[test]
fn a_lost_execution_that_is_still_held_goes_on_under_its_lease() {
    let mut task = running();
    let lease = task.lease;
    step(&mut task, Event::Lost { lease }, at(1)).unwrap();
    step(&mut task, Event::Adopt { lease, holder: holder(1) }, at(2)).unwrap();
    assert_eq!((task.state, task.lease), (TaskState::Running, lease));
}

#[test]
fn a_higher_reported_lease_on_an_open_task_is_adopted_and_a_lower_one_is_stale() {
    let mut task = running();
    let (lower, higher) = (task.lease, task.lease.next(EPOCH));
    step(&mut task, Event::Adopt { lease: higher, holder: holder(2) }, at(1)).unwrap();
    assert_eq!(task.lease, higher);
    let refused = step(&mut task, Event::Adopt { lease: lower, holder: holder(1) }, at(1));
    assert_eq!(refused, Err(Refusal::Stale));
}

#[test]
fn attempts_end_by_the_retry_policy() {
    let mut task = queued();
    for attempt in 1..=3 {
        let now = at(attempt * 100);
        step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, now).unwrap();
        let lease = task.lease;
        step(&mut task, failed(lease, FailureKind::ApiError), now).unwrap();
    }
    assert_eq!((task.state, task.counters.attempts), (TaskState::Failed, 3));
    assert_eq!(task.kind, Some(FailureKind::ApiError));
}

#[test]
fn a_backoff_is_waited_out_before_the_next_claim() {
    let mut task = running();
    let lease = task.lease;
    step(&mut task, failed(lease, FailureKind::ApiError), at(10)).unwrap();
    assert_eq!(task.not_before, Some(at(11)));
    let claim = || Event::Claim { holder: holder(1), epoch: EPOCH };
    assert_eq!(step(&mut task, claim(), at(10)), Err(Refusal::NotReady));
    step(&mut task, claim(), at(11)).unwrap();
}

#[test]
fn throttles_cost_no_attempt_and_honour_retry_after() {
    let mut task = running();
    let failure = Failure {
        retry_after: Some(Duration::from_secs(30)),
        ..Failure::new(FailureKind::RateLimited, "")
    };
    let event = ended(task.lease, End::Failed(failure), Delivery::Answered);
    let change = step(&mut task, event, at(0)).unwrap();
    assert_eq!((task.counters.attempts, task.counters.throttles), (0, 1));
    assert!(task.not_before >= Some(at(30)));
    assert!(!change.ended.unwrap().possibly_paid);
}

#[test]
fn a_throttle_inside_an_answer_is_an_attempt_and_may_have_been_paid() {
    let mut task = running();
    let end = End::Failed(Failure::new(FailureKind::RateLimited, ""));
    let call = Call { http_status: Some(200), ..Call::new(Delivery::ResponseStarted) };
    let event = Event::Ended { lease: task.lease, outcome: Outcome { end, call } };
    let change = step(&mut task, event, at(0)).unwrap();
    let Counters { attempts, throttles, .. } = task.counters;
    assert_eq!((task.state, attempts, throttles), (TaskState::Queued, 1, 0));
    assert!(change.ended.unwrap().possibly_paid);
}

#[test]
fn an_answer_that_is_too_large_fails_at_once_and_is_not_paid_for_again() {
    let mut task = running();
    let event = ended(task.lease, End::Failed(Failure::too_large()), Delivery::Answered);
    let change = step(&mut task, event, at(0)).unwrap();
    assert_eq!((task.state, task.kind), (TaskState::Failed, Some(FailureKind::BadResponse)));
    assert!(change.ended.unwrap().possibly_paid);
}

#[test]
fn five_losses_end_a_poison_task_and_it_runs_alone_from_the_second_on() {
    let mut task = queued();
    for loss in 1..=5_u32 {
        let now = at(u64::from(loss) * 100);
        assert_eq!(task.runs_alone(), loss > 2);
        step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, now).unwrap();
        let lease = task.lease;
        let change = step(&mut task, Event::Lost { lease }, now).unwrap();
        assert!(change.ended.unwrap().possibly_paid);
    }
    assert_eq!((task.state, task.kind), (TaskState::Failed, Some(FailureKind::WorkerLost)));
}

#[test]
fn hand_backs_cost_nothing_but_a_loop_of_them_ends() {
    let mut task = queued();
    let mut rounds = 0;
    while !task.state.is_terminal() {
        rounds += 1;
        let now = at(u64::from(rounds) * 20);
        step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, now).unwrap();
        let lease = task.lease;
        step(&mut task, Event::NotStarted { lease }, now).unwrap();
    }
    assert_eq!(rounds, limits::MAX_REQUEUES);
    assert_eq!(task.kind, Some(FailureKind::Internal));
    assert_eq!(task.counters.attempts, 0);
}

#[test]
fn what_a_dead_supervisor_cut_off_is_possibly_paid_and_no_loss() {
    let mut task = running();
    let lease = task.lease;
    let change = step(&mut task, Event::CutOff { lease }, at(1)).unwrap();
    let ended = change.ended.unwrap();
    assert_eq!((ended.end, ended.possibly_paid), (LeaseEnd::Requeued, true));
    assert_eq!((task.counters.losses, task.counters.requeues), (0, 1));
    assert!(task.is_ready(at(1)));
    assert_eq!(step(&mut task, completed(lease), at(2)), Err(Refusal::Stale));
}

#[test]
fn the_deadline_ends_queued_and_running_tasks_and_forbids_claims() {
    let past = at(25 * 3_600);
    for mut task in [queued(), running()] {
        assert_eq!(step(&mut task, Event::Expire, at(5)), Err(Refusal::NotReady));
        let claim = Event::Claim { holder: holder(1), epoch: EPOCH };
        assert_eq!(step(&mut task, claim, past), Err(Refusal::NotReady));
        step(&mut task, Event::Expire, past).unwrap();
        assert_eq!(task.kind, Some(FailureKind::DeadlineExceeded));
    }
}

#[test]
fn an_outcome_that_is_reported_again_after_a_restart_counts_once() {
    let mut task = running();
    let lease = task.lease;
    step(&mut task, failed(lease, FailureKind::ApiError), at(0)).unwrap();
    let again = step(&mut task, Event::Adopt { lease, holder: holder(1) }, at(1));
    assert_eq!(again, Err(Refusal::Stale));
    assert_eq!(task.counters.attempts, 1);
}

#[test]
fn a_live_lease_that_gives_way_to_a_higher_one_is_counted() {
    let mut task = running();
    let higher = task.lease.next(EPOCH);
    let adopt = Event::Adopt { lease: higher, holder: holder(2) };
    let change = step(&mut task, adopt, at(1)).unwrap();
    assert_eq!(change.ended.unwrap().end, LeaseEnd::Requeued);
    assert_eq!(task.counters.requeues, 1);
}

#[test]
fn the_limit_of_hand_backs_ends_no_task_that_a_worker_runs() {
    let mut task = queued();
    for round in 1..limits::MAX_REQUEUES {
        let now = at(u64::from(round) * 20);
        step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, now).unwrap();
        let lease = task.lease;
        step(&mut task, Event::NotStarted { lease }, now).unwrap();
    }
    let now = at(1_000);
    step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, now).unwrap();
    let lease = task.lease.next(EPOCH);
    step(&mut task, Event::Adopt { lease, holder: holder(2) }, now).unwrap();
    assert_eq!((task.state, task.counters.requeues), (TaskState::Running, limits::MAX_REQUEUES));
    step(&mut task, Event::NotStarted { lease }, now).unwrap();
    assert_eq!((task.state, task.kind), (TaskState::Failed, Some(FailureKind::Internal)));
}

#[test]
fn after_its_workers_word_a_lease_delivers_nothing_more() {
    let mut task = running();
    let lease = task.lease;
    step(&mut task, failed(lease, FailureKind::ApiError), at(0)).unwrap();
    assert_eq!(step(&mut task, completed(lease), at(1)), Err(Refusal::Stale));
    assert_eq!(task.state, TaskState::Queued);
}

#[test]
fn the_loss_of_a_stale_lease_does_not_touch_the_live_one() {
    let mut task = running();
    let old = task.lease;
    step(&mut task, Event::Lost { lease: old }, at(1)).unwrap();
    step(&mut task, Event::Claim { holder: holder(2), epoch: EPOCH }, at(1)).unwrap();
    for late in [Event::Lost { lease: old }, Event::NotStarted { lease: old }] {
        assert_eq!(step(&mut task, late, at(2)), Err(Refusal::Stale));
    }
    assert_eq!((task.state, task.counters.losses), (TaskState::Running, 1));
}

#[test]
fn only_a_task_that_waits_is_too_large() {
    let too_large = Event::TooLarge { max_request_bytes: 1 };
    assert_eq!(step(&mut running(), too_large.clone(), at(1)), Err(Refusal::NotReady));
    let mut task = queued();
    assert_eq!(step(&mut task, too_large, at(1)), Ok(Change::default()));
    assert_eq!((task.state, task.kind), (TaskState::Failed, Some(FailureKind::InvalidRequest)));
}

#[test]
fn what_a_superseded_supervisor_takes_back_is_counted_nowhere() {
    let mut task = queued();
    for round in 0..2 * limits::MAX_REQUEUES {
        let claim = Event::Claim { holder: holder(1), epoch: EPOCH };
        step(&mut task, claim, at(round.into())).unwrap();
        let lease = task.lease;
        step(&mut task, Event::TakenBack { lease }, at(round.into())).unwrap();
        assert!(task.is_ready(at(round.into())), "it may go on at once");
    }
    assert_eq!(task.counters, Counters::default());
}

#[test]
fn a_lease_that_was_adopted_from_another_copy_is_known_until_the_next_claim() {
    let higher = |task: &TaskRecord| task.lease.next(Epoch::new(8));
    for mut task in [queued(), running()] {
        assert!(!task.lease_borrowed);
        let lease = higher(&task);
        step(&mut task, Event::Adopt { lease, holder: holder(2) }, at(1)).unwrap();
        assert!(task.lease_borrowed);
        step(&mut task, Event::Adopt { lease, holder: holder(2) }, at(2)).unwrap();
        step(&mut task, Event::Lost { lease }, at(3)).unwrap();
        step(&mut task, Event::Adopt { lease, holder: holder(2) }, at(4)).unwrap();
        assert!(task.lease_borrowed, "adopted once more after a restart");
        step(&mut task, failed(lease, FailureKind::ApiError), at(5)).unwrap();
        step(&mut task, Event::Claim { holder: holder(1), epoch: EPOCH }, at(500)).unwrap();
        assert!(!task.lease_borrowed);
    }
    let mut task = running();
    let lease = task.lease;
    step(&mut task, Event::Adopt { lease, holder: holder(2) }, at(1)).unwrap();
    assert!(!task.lease_borrowed, "a restart of our own");
}
