use super::*;
use crate::Timestamp;

const NOW: Instant = Instant::from_micros(1_000_000);

fn held(task: u8, lease: u64) -> Held {
    let task = TaskId::new(Timestamp::from_unix_millis(1), [task; 10]);
    Held { task, lease: Lease::new(lease) }
}

fn caller(store: u8, epoch: u64) -> Caller {
    Caller { store: StoreId::from_bytes([store; 16]), epoch: Epoch::new(epoch) }
}

fn table() -> ExecutionTable {
    let bounds = Bounds { slots: 2, max_held: 2, max_held_bytes: 100, ..Bounds::default() };
    let mut table = ExecutionTable::new(bounds);
    table.adopt(caller(1, 1), NOW).unwrap();
    table
}

fn start(table: &mut ExecutionTable, wanted: Held) -> Result<Admitted, Refused> {
    table.process(caller(1, 1), wanted, false, NOW)
}

const START: Result<Admitted, Refused> = Ok(Admitted::Start { abort: None });

#[test]
fn a_lease_runs_once_and_every_later_request_attaches() {
    let mut table = table();
    assert_eq!(start(&mut table, held(1, 5)), START);
    assert_eq!(start(&mut table, held(1, 5)), Ok(Admitted::Attach));
    assert!(table.finish(held(1, 5), 10, NOW));
    assert_eq!(start(&mut table, held(1, 5)), Ok(Admitted::Attach));
    assert_eq!(table.settle(caller(1, 1), held(1, 5), NOW), Ok(Freed::Outcome));
    assert_eq!(start(&mut table, held(1, 5)), Err(Refused::Ended));
}

#[test]
fn a_higher_lease_aborts_the_lower_one_and_the_lower_never_returns() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    let abort = Some(Lease::new(5));
    assert_eq!(start(&mut table, held(1, 6)), Ok(Admitted::Start { abort }));
    assert!(!table.finish(held(1, 5), 10, NOW));
    assert_eq!(start(&mut table, held(1, 5)), Err(Refused::Ended));
    assert_eq!(table.running(), 1);
}

#[test]
fn attaching_never_starts_and_what_was_denied_never_runs_later() {
    let mut table = table();
    let denied = table.process(caller(1, 1), held(1, 5), true, NOW);
    assert_eq!(denied, Err(Refused::NotHeld));
    assert_eq!(start(&mut table, held(1, 5)), Err(Refused::Ended));
    assert_eq!(start(&mut table, held(1, 6)), START);
}

#[test]
fn a_start_that_was_refused_never_runs_later() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    start(&mut table, held(2, 5)).unwrap();
    assert_eq!(start(&mut table, held(3, 5)), Err(Refused::NoSlot));
    table.settle(caller(1, 1), held(1, 5), NOW).unwrap();
    assert_eq!(start(&mut table, held(3, 5)), Err(Refused::Ended));
    assert_eq!(start(&mut table, held(3, 6)), START);
}

#[test]
fn a_cancel_that_overtakes_its_request_leaves_a_tombstone() {
    let mut table = table();
    assert_eq!(table.settle(caller(1, 1), held(1, 5), NOW), Ok(Freed::Nothing));
    assert_eq!(start(&mut table, held(1, 5)), Err(Refused::Ended));
}

#[test]
fn after_an_adoption_a_dead_supervisors_request_starts_nothing() {
    let mut table = table();
    assert_eq!(table.adopt(caller(1, 2), NOW), Ok(vec![]));
    let superseded = Refused::Superseded { by: Epoch::new(2) };
    assert_eq!(start(&mut table, held(1, 5)), Err(superseded));
    assert_eq!(table.adopt(caller(1, 1), NOW), Err(superseded));
    assert_eq!(table.settle(caller(1, 1), held(1, 5), NOW), Err(superseded));
}

#[test]
fn a_supervisor_is_superseded_by_its_own_store_only() {
    let mut table = table();
    table.adopt(caller(2, 9), NOW).unwrap();
    assert_eq!(start(&mut table, held(1, 5)), Err(Refused::NotServed));
    table.adopt(caller(1, 3), NOW).unwrap();
    table.adopt(caller(2, 9), NOW).unwrap();
    let superseded = Refused::Superseded { by: Epoch::new(3) };
    assert_eq!(start(&mut table, held(1, 5)), Err(superseded), "whoever is served now");
}

#[test]
fn another_store_sees_settles_and_drops_nothing_and_the_right_one_gets_it_back() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    table.finish(held(1, 5), 10, NOW);
    assert_eq!(table.adopt(caller(2, 9), NOW), Ok(vec![]));
    assert_eq!((table.foreign(), table.foreign_running()), (1, 0));
    assert_eq!(table.settle(caller(2, 9), held(1, 5), NOW), Ok(Freed::Nothing));
    assert_eq!(table.adopt(caller(1, 2), NOW), Ok(vec![held(1, 5)]));
}

#[test]
fn another_stores_calls_take_slots_and_its_outcomes_do_not() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    table.adopt(caller(2, 9), NOW).unwrap();
    assert_eq!((table.foreign(), table.foreign_running()), (1, 1));
    let process =
        |table: &mut ExecutionTable, task| table.process(caller(2, 9), held(task, 7), false, NOW);
    assert_eq!(process(&mut table, 2), START);
    assert_eq!(process(&mut table, 3), Err(Refused::NoSlot));
    table.finish(held(1, 5), 10, NOW);
    assert_eq!((table.foreign(), table.foreign_running()), (1, 0));
    assert_eq!(process(&mut table, 4), START);
}

#[test]
fn slots_and_the_outbox_are_bounded_and_nothing_held_is_evicted() {
    let mut table = table();
    for task in 1..=2 {
        start(&mut table, held(task, 1)).unwrap();
    }
    assert_eq!(start(&mut table, held(3, 1)), Err(Refused::NoSlot));
    for task in 1..=2 {
        table.finish(held(task, 1), 10, NOW);
    }
    assert_eq!(start(&mut table, held(3, 2)), Err(Refused::OutboxFull));
    assert_eq!(table.held(), 2);
}

#[test]
fn an_outcome_is_held_for_an_hour_after_the_last_word_of_a_supervisor() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    table.finish(held(1, 5), 10, NOW);
    let later = NOW + Duration::from_secs(3_000);
    table.check(caller(1, 1), later).unwrap();
    assert_eq!(table.expire(NOW + Duration::from_secs(4_000)), 0);
    assert_eq!(table.expire(later + Duration::from_secs(3_600)), 1);
    assert_eq!(table.held(), 0);
}

#[test]
fn an_outcome_outlives_ten_minutes_without_a_supervisor_and_not_an_hour() {
    let mut table = ExecutionTable::new(Bounds::default());
    table.adopt(caller(1, 1), NOW).unwrap();
    start(&mut table, held(1, 5)).unwrap();
    table.finish(held(1, 5), 10, NOW);
    for minutes in 1..60 {
        assert_eq!(table.expire(NOW + Duration::from_secs(60 * minutes)), 0, "{minutes} min");
    }
    let soon_an_hour = NOW + Duration::from_secs(3_599);
    assert_eq!(table.adopt(caller(1, 2), soon_an_hour), Ok(vec![held(1, 5)]));
    assert_eq!(table.expire(soon_an_hour + Duration::from_secs(3_600)), 1);
}

#[test]
fn draining_refuses_new_work_and_still_attaches() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    table.drain();
    assert_eq!(start(&mut table, held(2, 5)), Err(Refused::Draining));
    assert_eq!(start(&mut table, held(1, 5)), Ok(Admitted::Attach));
}

#[test]
fn a_lower_lease_that_comes_after_the_higher_one_is_refused() {
    let mut table = table();
    assert_eq!(start(&mut table, held(1, 6)), START);
    assert_eq!(start(&mut table, held(1, 5)), Err(Refused::Ended));
    assert_eq!(start(&mut table, held(1, 6)), Ok(Admitted::Attach));
}

#[test]
fn a_lease_whose_outcome_was_dropped_never_runs_again() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    table.finish(held(1, 5), 10, NOW);
    let later = NOW + Duration::from_secs(3_600);
    assert_eq!(table.expire(later), 1);
    let again = table.process(caller(1, 1), held(1, 5), false, later);
    assert_eq!(again, Err(Refused::Ended));
}

#[test]
fn what_was_sent_before_ten_minutes_away_starts_nothing_though_its_end_is_forgotten() {
    let mut table = table();
    start(&mut table, held(1, 5)).unwrap();
    table.settle(caller(1, 1), held(1, 5), NOW).unwrap();
    let later = NOW + Duration::from_secs(600);
    assert_eq!(table.expire(later), 0);
    table.adopt(caller(1, 2), later).unwrap();
    let superseded = Refused::Superseded { by: Epoch::new(2) };
    assert_eq!(start(&mut table, held(1, 5)), Err(superseded));
}
