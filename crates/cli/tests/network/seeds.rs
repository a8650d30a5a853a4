//! Runs seeds, each in a process of its own, and says how to repeat the one that failed.
#![expect(clippy::print_stdout, reason = "whoever repeats a seed wants to see what happened")]

use std::{
    env,
    process::{Command, Output},
};

use crate::plan::Family;

/// Seeds of each family, unless `SEEDS` says otherwise.
const SEEDS: u64 = 60;
/// `family seed how`, for the process that simulates it.
pub(crate) const SIMULATE: &str = "SIMULATE";
/// Runs the seeds of a family; panics when a promise was broken.
pub(crate) fn run(family: Family) {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("SEED") {
        let run = simulate(family, seed, "print");
        println!("{}", text(&run));
        assert!(run.status.success(), "{}", repeat(family, seed));
        return;
    }
    for seed in 0..number("SEEDS").unwrap_or(SEEDS) {
        let run = simulate(family, seed, "");
        assert!(run.status.success(), "{}\n{}", text(&run), repeat(family, seed));
    }
}

/// What two runs of a seed are compared by.
pub(crate) fn hash(family: Family, seed: u64) -> String {
    let said = text(&simulate(family, seed, ""));
    let hash = said.lines().find_map(|line| line.strip_prefix("hash "));
    hash.expect("the run says its hash").to_owned()
}

fn repeat(family: Family, seed: u64) -> String {
    let name = family.name();
    format!("repeat it: SEED={seed} cargo test -p taskfleet --test network -- --nocapture {name}")
}

fn text(run: &Output) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr)
}

fn simulate(family: Family, seed: u64, how: &str) -> Output {
    let program = env::current_exe().expect("this program");
    let mut child = Command::new(program);
    child.args(["--ignored", "--exact", "one_seed", "--nocapture", "--test-threads=1"]);
    child.env(SIMULATE, format!("{} {seed} {how}", family.name()));
    child.output().expect("another process of this program")
}
