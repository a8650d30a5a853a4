//! The rules of core under crashes, delays, duplicates, reorderings and restarts: a whole
//! fleet as pure code, moved by generated actions.
//!
//! Two workers with an `ExecutionTable` each, one supervisor at a time, a store that
//! changes through `machine::apply` only, a network that delays and reorders everything,
//! and an API that counts its calls. After the generated actions the faults stop, and the
//! fleet must come to rest: every task ended, nothing kept anywhere.

mod action;
mod api;
mod network;
mod store;
mod supervisor;
mod worker;
mod world;

use proptest::{collection::vec, prelude::*};

use crate::{
    action::Action,
    supervisor::NoWord,
    world::{Promise, World},
};

/// Of each property; more with `PROPTEST_CASES`.
const CASES: u32 = 1_000;

fn run(promise: Promise, no_word: NoWord, actions: &[Action]) {
    let mut world = World::new(promise, no_word);
    for action in actions {
        world.step(action);
    }
    world.come_to_rest();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(CASES),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The headline: a supervisor's death costs no call, whenever it dies and however
    /// often, whatever the network does to what it had sent.
    #[test]
    fn a_supervisors_death_costs_no_call(
        actions in vec(action::with_dying_supervisors(), 0..150),
    ) {
        run(Promise::NoRepeat, NoWord::Ask, &actions);
    }

    #[test]
    fn a_broken_connection_costs_no_call(
        actions in vec(action::with_breaking_connections(), 0..150),
    ) {
        run(Promise::NoRepeat, NoWord::Ask, &actions);
    }

    #[test]
    fn every_repeated_call_is_counted_on_its_task(
        actions in vec(action::with_every_fault(), 0..150),
        no_word in prop_oneof![Just(NoWord::Ask), Just(NoWord::Cancel)],
    ) {
        run(Promise::EveryRepeatCounted, no_word, &actions);
    }

    #[test]
    fn no_execution_calls_twice_even_when_old_backups_are_restored(
        actions in vec(action::with_old_backups(), 0..150),
    ) {
        run(Promise::NoExecutionTwice, NoWord::Ask, &actions);
    }
}
