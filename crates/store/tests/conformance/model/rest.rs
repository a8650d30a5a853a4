//! The faults stop: from then on each worker answers well, and whatever the system says is to be
//! done is done.

use std::time::Duration;

use proptest_state_machine::ReferenceStateMachine;
use taskfleet_core::{TaskId, Timestamp};

use super::{
    fleet::Fleet,
    system::{System, Work},
    task::What,
    transition::{Happening, Of, Transition},
};

/// Rounds that one task needs at most: its worker is found lost, its pause is waited for, it is
/// claimed and it completes.
const ROUNDS: usize = 4;

/// Every accepted task ends within a bounded number of steps, and then nothing is to be done.
/// Says when.
pub(super) fn come_to_rest(system: &mut impl System, mut fleet: Fleet) -> Timestamp {
    let rounds = ROUNDS * (1 + fleet.open().count());
    for round in 0..rounds {
        let work = system.work(fleet.now);
        if fleet.open().count() == 0 {
            assert!(work.is_none(), "every task has ended, and to be done is {work:?}");
            return fleet.now;
        }
        assert!(!work.is_none(), "nothing is to be done, and tasks wait: {:?}", open(&fleet));
        let transition = next(&fleet, &work, round == 0);
        fleet = Fleet::apply(fleet, &transition);
        system.take(&fleet);
    }
    panic!("not ended after {rounds} rounds: {:?}", open(&fleet));
}

fn next(fleet: &Fleet, work: &Work, first: bool) -> Transition {
    let nth = |id: TaskId| {
        let nth = fleet.tasks.iter().position(|task| task.id == id);
        nth.unwrap_or_else(|| panic!("{id} was never submitted"))
    };
    let to = |(ids, what): (&[TaskId], What)| {
        let happening = move |id| Happening { task: nth(id), what, of: Of::Last };
        ids.iter().copied().map(happening).collect::<Vec<_>>()
    };
    // One half of the workers died of the faults.
    let (lost, well) = work.running.split_at(if first { work.running.len() / 2 } else { 0 });
    let all = [
        (&*work.overdue, What::Expire),
        (lost, What::Lose),
        (well, What::Complete),
        (&*work.ready, What::Claim),
    ];
    let all = all.into_iter().flat_map(to).collect::<Vec<_>>();
    match work.next_due {
        Some(due) if all.is_empty() => Transition::Wait(due.since(fleet.now)),
        _ => Transition::Happen(all),
    }
}

fn open(fleet: &Fleet) -> Vec<(TaskId, Option<Duration>)> {
    let pause = |at: Timestamp| at.since(fleet.now);
    fleet.open().map(|task| (task.id, task.resumes.map(pause))).collect()
}
