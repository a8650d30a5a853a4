//! What a repeated call is put down to.

use taskfleet_core::Lease;
use taskfleet_proto::v1::AttemptEnd::{Completed, Requeued, WorkerLost};

use crate::{
    chaos::{
        history::{Fault, History},
        judge::{Judgement, judge},
        kind::{Cause, Kind},
    },
    made_up::{Told, fault, task},
};

/// Worker 1 had it from 1,000 to 1,500 and lost it; worker 2 completed it.
fn lost_at_1500() -> History {
    task().ran(1, 1_000, 1_500, WorkerLost).ran(2, 1_510, 1_900, Completed)
}

fn judged(task: History, faults: &[Fault]) -> Judgement {
    judge(&[task], faults)
}

fn repeated(judgement: &Judgement, cause: Cause) -> usize {
    judgement.costs.get(&cause).map_or(0, |cost| cost.repeated)
}

#[track_caller]
fn is_put_down_to(task: History, faults: &[Fault], cause: Cause) {
    let judgement = judged(task, faults);
    assert_eq!(repeated(&judgement, cause), 1, "{judgement:?}");
    assert_eq!((judgement.unattributed, &judgement.broken[..]), (0, &[][..]));
}

#[track_caller]
fn has_no_cause(task: History, faults: &[Fault]) {
    let judgement = judged(task, faults);
    assert_eq!((judgement.unattributed, judgement.broken.len()), (1, 1), "{judgement:?}");
    assert!(judgement.broken[0].words.contains("no cause"), "{judgement:?}");
}

#[test]
fn a_call_that_is_made_once_needs_no_cause() {
    let judgement = judged(task().ran(1, 0, 10, Completed), &[]);
    assert_eq!(judgement, Judgement::default());
}

#[test]
fn a_repeat_without_any_fault_has_no_cause() {
    has_no_cause(lost_at_1500(), &[]);
}

#[test]
fn the_death_of_its_worker_is_a_cause() {
    let killed = fault(Kind::WorkerKilled, 1, 1_400, 3_000);
    is_put_down_to(lost_at_1500(), &[killed], Cause::WorkerDeath);
}

#[test]
fn the_death_of_another_worker_is_none() {
    has_no_cause(lost_at_1500(), &[fault(Kind::WorkerKilled, 3, 1_400, 3_000)]);
}

#[test]
fn a_death_before_it_came_there_is_none() {
    has_no_cause(lost_at_1500(), &[fault(Kind::WorkerKilled, 1, 900, 2_000)]);
}

#[test]
fn a_death_after_it_was_over_is_none() {
    has_no_cause(lost_at_1500(), &[fault(Kind::WorkerKilled, 1, 1_600, 2_000)]);
}

#[test]
fn a_silence_takes_also_what_was_sent_meanwhile() {
    let silent = [Kind::WorkerHung, Kind::WorkerStalled, Kind::WorkerCutOff];
    for kind in silent {
        is_put_down_to(lost_at_1500(), &[fault(kind, 1, 900, 9_000)], Cause::StallOrCutOff);
    }
}

#[test]
fn a_silence_that_was_over_long_before_is_no_cause() {
    let late = task().ran(1, 1_000, 9_000, WorkerLost).ran(2, 9_010, 9_500, Completed);
    has_no_cause(late, &[fault(Kind::WorkerHung, 1, 500, 2_000)]);
}

#[test]
fn a_successor_may_take_its_time_to_give_up_a_dead_worker() {
    let late = task().ran(1, 1_000, 16_000, WorkerLost).ran(2, 16_010, 16_500, Completed);
    let killed = fault(Kind::WorkerKilled, 1, 1_200, 2_000);
    has_no_cause(late.clone(), std::slice::from_ref(&killed));
    let supervisor = fault(Kind::SupervisorKilled, 0, 1_100, 1_900);
    is_put_down_to(late, &[killed, supervisor], Cause::WorkerDeath);
}

#[test]
fn what_must_not_cost_a_call_is_no_cause() {
    let harmless =
        [Kind::WorkerPaused, Kind::WorkerBlip, Kind::WorkerUnheard, Kind::WorkerRestarted];
    for kind in harmless {
        has_no_cause(lost_at_1500(), &[fault(kind, 1, 1_200, 1_600)]);
    }
}

#[test]
fn a_repeat_by_a_supervisors_fault_breaks_a_promise() {
    let kinds = [Kind::SupervisorKilled, Kind::SupervisorRestarted, Kind::SupervisorPaused];
    for kind in kinds {
        let judgement = judged(lost_at_1500(), &[fault(kind, 0, 1_200, 1_450)]);
        assert_eq!((repeated(&judgement, Cause::Supervisor), judgement.broken.len()), (1, 1));
        assert_eq!(judgement.unattributed, 0);
    }
}

#[test]
fn a_hand_back_requeues_and_does_not_lose() {
    let stopped = fault(Kind::WorkerHandedBack, 1, 1_400, 2_000);
    let handed_back = task().ran(1, 1_000, 1_450, Requeued).ran(2, 1_500, 1_900, Completed);
    is_put_down_to(handed_back.clone(), std::slice::from_ref(&stopped), Cause::HandBack);
    has_no_cause(handed_back, &[fault(Kind::WorkerKilled, 1, 1_400, 2_000)]);
    has_no_cause(lost_at_1500(), std::slice::from_ref(&stopped));
    // With no supervisor there to take it back it is lost with the worker.
    let away = fault(Kind::SupervisorKilled, 0, 1_300, 1_450);
    is_put_down_to(lost_at_1500(), &[stopped, away], Cause::HandBack);
}

#[test]
fn each_wasted_call_counts_and_those_that_were_found_are_the_bound() {
    let twice = task()
        .ran(1, 1_000, 1_500, WorkerLost)
        .ran(2, 1_510, 2_000, WorkerLost)
        .ran(3, 3_000, 3_100, Completed);
    let unharmed = task().ran(1, 1_100, 1_400, Completed);
    let faults =
        [fault(Kind::WorkerKilled, 1, 1_300, 2_500), fault(Kind::WorkerKilled, 2, 1_900, 2_500)];
    let judgement = judge(&[twice, unharmed], &faults);
    let cost = judgement.costs[&Cause::WorkerDeath];
    assert_eq!((cost.repeated, cost.found, judgement.broken.len()), (2, 3, 0));
}

#[test]
fn an_execution_that_was_lost_before_its_call_is_no_repeat() {
    let mut uncalled = lost_at_1500();
    uncalled.calls.remove(&Lease::new(1));
    assert_eq!(judged(uncalled, &[]).broken, []);
}

#[test]
fn a_repeat_that_is_not_marked_possibly_paid_breaks_a_promise() {
    let mut unmarked = lost_at_1500();
    unmarked.attempts[0].possibly_paid = false;
    let judgement = judged(unmarked, &[fault(Kind::WorkerKilled, 1, 1_400, 3_000)]);
    assert_eq!((repeated(&judgement, Cause::WorkerDeath), judgement.broken.len()), (1, 1));
    assert!(judgement.broken[0].words.contains("possibly paid"));
}

#[test]
fn one_lease_is_never_called_twice_whatever_struck() {
    let mut twice = lost_at_1500();
    twice.calls.insert(twice.lease, 2);
    let judgement = judged(twice, &[fault(Kind::WorkerKilled, 1, 1_400, 3_000)]);
    assert_eq!((judgement.unattributed, judgement.broken.len()), (1, 1));
}

#[test]
fn a_call_that_no_attempt_tells_of_has_no_cause() {
    let mut untold = lost_at_1500();
    untold.attempts.remove(0);
    let judgement = judged(untold, &[fault(Kind::WorkerKilled, 1, 1_400, 3_000)]);
    assert_eq!((judgement.unattributed, judgement.broken.len()), (1, 1));
}
