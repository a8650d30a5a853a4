//! Which fault strikes what and when.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    chaos::{
        kind::Kind,
        plan::{Planned, Target, faults, hands_back},
        shape::Shape,
    },
    shape::shape,
};

fn planned(seed: u64) -> Vec<Planned> {
    faults(&Shape { seed, ..shape() })
}

fn until(fault: &Planned) -> Duration {
    fault.at + fault.lasts
}

#[test]
fn a_seed_gives_the_same_faults_and_another_one_others() {
    assert_eq!(planned(7), planned(7));
    assert_ne!(planned(7), planned(8));
}

#[test]
fn there_are_about_as_many_as_the_interval_says_and_of_every_kind() {
    let all: Vec<Planned> = (0..100).flat_map(planned).collect();
    assert!((2_700..=3_000).contains(&all.len()), "{}", all.len());
    let kinds: BTreeSet<Kind> = all.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds.len(), Kind::ALL.len());
}

#[test]
fn nothing_is_struck_before_it_has_recovered() {
    for seed in 0..100 {
        let faults = planned(seed);
        for (index, fault) in faults.iter().enumerate() {
            let next = faults[index + 1..].iter().find(|next| next.target == fault.target);
            assert!(next.is_none_or(|next| next.at >= until(fault) + fault.kind.recovery()));
        }
    }
}

#[test]
fn half_of_the_workers_are_unharmed_and_three_quarters_can_be_heard_at_any_time() {
    for seed in 0..100 {
        let faults = planned(seed);
        for now in faults.iter().map(|fault| fault.at) {
            let struck = faults.iter().filter(|fault| {
                fault.target != Target::Supervisor && fault.at <= now && until(fault) > now
            });
            let silent = struck.clone().filter(|fault| fault.kind.is_silence());
            assert!(struck.count() <= 4 && silent.count() <= 2, "seed {seed} at {now:?}");
        }
    }
}

#[test]
fn only_those_without_grace_are_asked_to_hand_back() {
    for fault in (0..100).flat_map(planned) {
        if let (Kind::WorkerHandedBack | Kind::WorkerRestarted, Target::Worker(index)) =
            (fault.kind, fault.target)
        {
            assert_eq!(hands_back(index), fault.kind == Kind::WorkerHandedBack);
        }
    }
}
