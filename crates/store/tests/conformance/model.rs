//! Random events on core's machine alone and on both stores, beside a model that says what must
//! come of each: a small second telling of the rules (`task`), with all that happens around it
//! (`fleet`, `transition`). When the faults stop, every accepted task ends (`rest`).
//!
//! A failure prints the shortest sequence that shows it, a step on each line, and leaves its
//! seed in `model.seeds`, which is tried first from then on.

mod draft;
mod event;
mod fleet;
mod machine;
mod promises;
mod reads;
mod rest;
mod stores;
mod system;
mod task;
mod transition;

use proptest::test_runner::{Config, FileFailurePersistence};
use proptest_state_machine::prop_state_machine;

use self::{machine::Machine, stores::Stores, system::Driven};

/// So many cases, or as many as `PROPTEST_CASES` says.
fn cases(cases: u32) -> Config {
    let config = Config::default();
    let seeds = FileFailurePersistence::Direct("tests/conformance/model.seeds");
    Config {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { cases },
        failure_persistence: Some(Box::new(seeds)),
        // Each shorter sequence of a store costs its syncs.
        max_shrink_iters: 5_000,
        max_shrink_time: 60_000, // Milliseconds.
        ..config
    }
}

prop_state_machine! {
    #![proptest_config(cases(1_000))]
    #[test]
    fn the_machine_does_what_the_model_says(sequential 1..60 => Driven<Machine>);
}

prop_state_machine! {
    #![proptest_config(cases(64))]
    #[test]
    fn both_stores_do_what_the_model_says(sequential 1..40 => Driven<Stores>);
}
