//! One decision, over all that waits.

use std::collections::{BTreeMap, HashMap};

use proptest::{collection::vec, prelude::*};
use taskfleet_core::{
    BootId, TaskId,
    placement::{Admission, Candidate, Limiter, Profile, Seat, Unlimited},
    queue::{Bounds, Queue},
    task::TaskRecord,
};

use crate::{
    draft::{at, draft, fits, plain, seats, worker},
    store::Store,
};

/// What was decided.
struct Decided {
    tasks: BTreeMap<TaskId, TaskRecord>,
    profiles: Vec<Profile>,
    before: Vec<Seat>,
    after: Vec<Seat>,
    placed: HashMap<TaskId, BootId>,
}

fn decide(tasks: Vec<TaskRecord>, profiles: Vec<Profile>, before: Vec<Seat>) -> Decided {
    let mut queue = Queue::new(Bounds::default());
    queue.workers(profiles.clone());
    let mut store = Store::of(tasks);
    store.answer_all(&mut queue, at(0));
    let mut after = before.clone();
    let placed = queue.place(&mut after, &mut Unlimited, usize::MAX);
    let placed = placed.into_iter().map(|placed| (placed.task, placed.boot_id)).collect();
    Decided { tasks: store.queued, profiles, before, after, placed }
}

impl Decided {
    fn profile(&self, boot_id: BootId) -> &Profile {
        let seat = self.before.iter().find(|seat| seat.boot_id == boot_id).unwrap();
        &self.profiles[seat.profile]
    }

    fn on(&self, boot_id: BootId) -> impl Iterator<Item = &TaskRecord> {
        let here = self.placed.iter().filter(move |(_, seat)| **seat == boot_id);
        here.map(|(task, _)| &self.tasks[task])
    }

    fn left(&self) -> impl Iterator<Item = &TaskRecord> {
        self.tasks.values().filter(|task| !self.placed.contains_key(&task.id))
    }

    /// How many tasks of the same priority and tenant were placed on such seats.
    fn count(&self, like: &TaskRecord, on: impl Fn(BootId) -> bool) -> usize {
        let same = |task: &TaskRecord| task.priority == like.priority && task.tenant == like.tenant;
        let placed = self.placed.iter();
        placed.filter(|(task, seat)| same(&self.tasks[task]) && on(**seat)).count()
    }

    fn slots_are_respected(&self) {
        for seat in &self.before {
            let mut here = self.on(seat.boot_id);
            let count = u32::try_from(self.on(seat.boot_id).count()).unwrap();
            assert!(count <= seat.slots.saturating_sub(seat.in_use));
            assert!(here.all(|task| fits(self.profile(seat.boot_id), task)));
            if self.on(seat.boot_id).any(TaskRecord::runs_alone) {
                assert_eq!((count, seat.in_use), (1, 0), "alone");
            }
        }
    }

    fn no_slot_is_left_to_nobody(&self) {
        for seat in self.after.iter().filter(|seat| seat.free() > 0) {
            let profile = &self.profiles[seat.profile];
            let could = |task: &TaskRecord| fits(profile, task) && !task.runs_alone();
            assert!(!self.left().any(could));
        }
    }

    /// Whoever waits was overtaken on no slot that it could have taken.
    fn turns_are_kept(&self) {
        let waiting: Vec<_> = self.left().filter(|task| !task.runs_alone()).collect();
        for (task, seat) in &self.placed {
            let task = &self.tasks[task];
            for waits in waiting.iter().filter(|waits| fits(self.profile(*seat), waits)) {
                assert!(waits.priority <= task.priority, "priority first");
                if waits.priority < task.priority {
                    continue;
                }
                if waits.tenant == task.tenant {
                    assert!(task.id < waits.id, "then age");
                } else {
                    // Of the slots that the other could have taken: who waits for those
                    // alone that are taken has its turn when one is free again.
                    let had = self.count(task, |seat| fits(self.profile(seat), waits));
                    let has = self.count(waits, |_| true);
                    assert!(had <= has + 1, "then turns");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn a_decision_keeps_every_rule(
        drafts in vec(draft(), 0..40),
        workers in vec(worker(), 0..5),
    ) {
        let tasks = (0_u32..).zip(&drafts).map(|(n, draft)| draft.record(n)).collect();
        let (profiles, seats) = seats(&workers);
        let decided = decide(tasks, profiles, seats);
        decided.slots_are_respected();
        decided.no_slot_is_left_to_nobody();
        decided.turns_are_kept();
    }
}

fn one_worker(slots: u32, in_use: u32) -> (Vec<Profile>, Vec<Seat>) {
    let features = taskfleet_core::demand::Features::ALL;
    let profile = Profile { models: Vec::new(), features, max_request_bytes: 1 << 20 };
    seats(&[crate::draft::Worker { profile, slots, in_use }])
}

#[test]
fn a_worker_is_kept_free_for_a_task_that_has_to_run_alone() {
    let counters = taskfleet_core::task::Counters { losses: 2, ..Default::default() };
    let alone = TaskRecord { counters, ..plain(1, "") };
    let (profiles, seats) = one_worker(8, 3);
    let decided = decide(vec![alone.clone(), plain(2, "")], profiles.clone(), seats.clone());
    assert!(decided.placed.is_empty());
    let mut two = seats;
    two.push(Seat { boot_id: BootId::from_bytes([9; 16]), in_use: 5, ..two[0].clone() });
    let decided = decide(vec![alone, plain(2, "")], profiles, two);
    assert_eq!(decided.on(BootId::from_bytes([9; 16])).count(), 1, "one worker, not all");
}

#[test]
fn work_goes_where_the_largest_share_is_free() {
    let (profiles, seats) = one_worker(10, 5);
    let small =
        Seat { boot_id: BootId::from_bytes([9; 16]), slots: 4, in_use: 1, ..seats[0].clone() };
    let decided = decide(vec![plain(1, "")], profiles, vec![seats[0].clone(), small.clone()]);
    assert_eq!(decided.placed.values().collect::<Vec<_>>(), [&small.boot_id]);
}

/// Lets nothing of one model start.
struct Closed(&'static str);

impl Limiter for Closed {
    fn admit(&mut self, candidate: &Candidate<'_>, _: BootId) -> Admission {
        if candidate.model == Some(self.0) { Admission::Throttled } else { Admission::Granted }
    }
}

#[test]
fn what_the_budget_does_not_grant_waits_and_keeps_no_other_tenant_out() {
    let (profiles, mut seats) = one_worker(4, 0);
    let mut queue = Queue::new(Bounds::default());
    queue.workers(profiles);
    let closed = TaskRecord { model: Some("closed".into()), ..plain(1, "a") };
    let mut store = Store::of(vec![closed, plain(2, "b")]);
    store.answer_all(&mut queue, at(0));
    let placed = queue.place(&mut seats, &mut Closed("closed"), 9);
    assert_eq!(placed.iter().map(|placed| placed.task).collect::<Vec<_>>(), [plain(2, "b").id]);
    let placed = queue.place(&mut seats, &mut Unlimited, 9);
    assert_eq!(placed.iter().map(|placed| placed.task).collect::<Vec<_>>(), [plain(1, "a").id]);
}
