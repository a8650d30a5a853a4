//! Numbers that do not go together are refused in words.

use std::time::Duration;

use crate::chaos::shape::Shape;

pub(crate) fn shape() -> Shape {
    let mut shape = Shape {
        seed: 7,
        tasks: 2_000,
        lasts: Duration::from_secs(60),
        workers: 8,
        slots: 4,
        every: Duration::from_secs(2),
        call: Duration::ZERO,
    };
    shape.call = shape.fitting_call();
    shape
}

#[track_caller]
fn is_refused(shape: &Shape, words: &str) {
    let refusal = shape.check().unwrap_err();
    assert!(refusal.contains(words), "{refusal}");
}

#[test]
fn the_ordinary_and_the_long_run_are_taken() {
    let long = Shape { tasks: 20_000, lasts: Duration::from_secs(240), ..shape() };
    for shape in [shape(), Shape { call: long.fitting_call(), ..long }] {
        assert_eq!(shape.check(), Ok(()));
        assert!(shape.call * 20 < shape.every * 8, "calls are short against workers × interval");
    }
}

#[test]
fn so_few_tasks_that_innocents_are_lost_five_times_are_refused() {
    is_refused(&Shape { tasks: 200, ..shape() }, "lost five times");
    is_refused(&Shape { slots: 40, ..shape() }, "fewer slots");
    is_refused(&Shape { every: Duration::from_millis(200), ..shape() }, "rarer faults");
}

#[test]
fn calls_that_fill_the_slots_are_refused() {
    is_refused(&Shape { call: Duration::from_secs(1), ..shape() }, "shorter calls");
}

#[test]
fn too_few_workers_are_refused() {
    is_refused(&Shape { workers: 3, ..shape() }, "half of them");
}
