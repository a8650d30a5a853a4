//! How long it took until the work went on.

use std::time::Duration;

use taskfleet_proto::v1::AttemptEnd::{Completed, WorkerLost};

use crate::{
    chaos::{
        delays::{Delays, measure},
        history::{Fault, History},
        kind::Kind,
    },
    made_up::{Told, fault, task},
};

fn times(tasks: &[History], faults: &[Fault], words: &str) -> Vec<u64> {
    let all = measure(tasks, faults);
    let found = all.iter().find(|delays| delays.words.starts_with(words)).expect("such a row");
    found
        .times
        .iter()
        .map(|time| time.as_secs() * 1_000 + u64::from(time.subsec_millis()))
        .collect()
}

fn lost(claimed_again: u64) -> History {
    task().ran(1, 1_000, 1_500, WorkerLost).ran(2, claimed_again, claimed_again + 100, Completed)
}

#[test]
fn a_dead_workers_tasks_are_timed_from_its_death_to_their_next_claims() {
    let killed = fault(Kind::WorkerKilled, 1, 1_400, 3_000);
    let tasks = [lost(1_700), lost(1_600), task().ran(1, 1_300, 1_350, Completed)];
    assert_eq!(times(&tasks, &[killed], "worker killed"), [200, 300]);
}

#[test]
fn what_was_sent_to_a_silent_worker_is_timed_from_then_on() {
    let hung = fault(Kind::WorkerHung, 1, 500, 9_500);
    assert_eq!(times(&[lost(6_700)], &[hung], "worker hung"), [5_700]);
}

#[test]
fn it_is_not_timed_while_the_supervisor_was_away_too() {
    let killed = fault(Kind::WorkerKilled, 1, 1_400, 3_000);
    let away = fault(Kind::SupervisorKilled, 0, 1_450, 1_490);
    assert!(times(&[lost(1_700)], &[killed, away], "worker killed").is_empty());
}

#[test]
fn a_second_loss_pauses_by_design_and_is_told_apart() {
    let twice = task()
        .ran(1, 1_000, 1_500, WorkerLost)
        .ran(2, 1_510, 2_000, WorkerLost)
        .ran(3, 3_000, 3_100, Completed);
    let faults =
        [fault(Kind::WorkerKilled, 1, 1_400, 9_000), fault(Kind::WorkerKilled, 2, 1_900, 9_000)];
    let tasks = [twice];
    assert_eq!(times(&tasks, &faults, "worker killed"), [110]);
    assert_eq!(times(&tasks, &faults, "a task lost again"), [1_100]);
}

#[test]
fn a_successor_is_timed_from_its_start_to_its_first_claim_and_its_first_adopted_outcome() {
    let killed = fault(Kind::SupervisorKilled, 0, 1_000, 2_000);
    let tasks = [
        task().ran(1, 900, 2_030, Completed),
        task().ran(2, 950, 2_050, Completed),
        task().ran(1, 2_200, 2_400, Completed),
        task().ran(3, 2_500, 2_900, Completed),
        task().ran(4, 100, 200, Completed),
    ];
    let faults = [killed, fault(Kind::WorkerHung, 3, 500, 9_000)];
    assert_eq!(times(&tasks, &faults, "supervisor killed: dispatching"), [200]);
    assert_eq!(times(&tasks, &faults, "supervisor killed: adopting"), [30]);
    assert_eq!(times(&tasks, &faults, "supervisor killed: the last"), [50]);
}

#[test]
fn a_goal_is_met_by_median_and_maximum() {
    let killed = fault(Kind::WorkerKilled, 1, 1_400, 9_000);
    let met = |claims: &[u64]| {
        let tasks: Vec<History> = claims.iter().map(|claim| lost(*claim)).collect();
        measure(&tasks, std::slice::from_ref(&killed))[0].is_met()
    };
    assert_eq!(met(&[]), None);
    assert_eq!(met(&[1_500, 1_600, 4_300]), Some(true));
    assert_eq!(met(&[1_500, 1_600, 4_400]), Some(false), "the maximum is 3 s");
    assert_eq!(met(&[1_500, 2_400, 2_500]), Some(false), "the median is 1 s");
}

#[test]
fn without_a_goal_nothing_is_met_or_missed() {
    let cut = fault(Kind::WorkerCutOff, 1, 1_400, 9_000);
    let all = measure(&[lost(4_000)], &[cut]);
    let row: &Delays = all.iter().find(|row| row.words.starts_with("worker cut off")).unwrap();
    assert_eq!((row.maximum(), row.is_met()), (Some(Duration::from_millis(2_600)), None));
}
