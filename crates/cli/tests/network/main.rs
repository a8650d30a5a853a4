//! Supervisor, workers and a client over the real gRPC stack, in one process, on a simulated
//! network and in simulated time. What goes wrong is drawn from a seed, and so is all else: the
//! same seed is the same run, to the last message.
//!
//! Each seed runs in a process of its own, for some of what decides a run (which branch of a
//! `select!` comes first) is counted through a process's life. `SEED=7 cargo test -p taskfleet
//! --test network -- --nocapture mixed` repeats one; `SEEDS=1000` runs more than usual.

mod api;
mod chance;
mod checks;
mod child;
mod client;
mod disk;
mod faulty;
mod journal;
mod machines;
mod net;
mod plan;
mod randomness;
mod seeds;
mod software;
mod world;

use plan::Family;

/// Only the supervisor dies: no call is made twice, and none is lost.
#[test]
fn supervisor_crashes() {
    seeds::run(Family::SupervisorCrashes);
}

/// Workers die: what they had is done elsewhere, and nothing else twice.
#[test]
fn worker_crashes() {
    seeds::run(Family::WorkerCrashes);
}

/// Nothing is so slow that anyone is taken for dead: no call is made twice.
#[test]
fn latency() {
    seeds::run(Family::Latency);
}

/// Connections break while both sides live: no call is made twice.
#[test]
fn resets() {
    seeds::run(Family::Resets);
}

/// Connections go deaf without a word.
#[test]
fn loss() {
    seeds::run(Family::Loss);
}

/// Workers are cut off from their supervisor, in both directions or in one.
#[test]
fn partitions() {
    seeds::run(Family::Partitions);
}

/// Clocks jump by up to an hour, also across a supervisor's restart: no call is made twice.
#[test]
fn clocks() {
    seeds::run(Family::Clocks);
}

/// All of it at once.
#[test]
fn mixed() {
    seeds::run(Family::Mixed);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..3 {
        assert_eq!(seeds::hash(Family::Mixed, seed), seeds::hash(Family::Mixed, seed));
    }
}

#[test]
#[ignore = "what the other tests start, a process for each seed"]
fn one_seed() {
    child::run();
}
