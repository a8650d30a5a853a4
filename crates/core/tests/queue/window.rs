//! The queue holds little of what waits, and nothing is missed for that.

use proptest::{collection::vec, prelude::*, sample::Index};
use taskfleet_core::{
    TaskId, Timestamp,
    placement::{Seat, Unlimited},
    queue::{Bounds, Lane, LaneRead, LaneRows, LanesRead, Queue},
    task::TaskRecord,
};

use crate::{
    draft::{Draft, Worker, at, draft, fits, plain, seats, worker},
    store::Store,
};

#[derive(Debug, Clone)]
enum Step {
    Submit(Draft),
    /// Some that run come back, with a pause of so many seconds.
    Requeue(Index, u64),
    Cancel(Index),
    Workers(Vec<Worker>),
    Decide(usize),
    /// The claims of a decision were not written.
    FailToClaim(usize),
    /// The store is asked; it answers at a later step.
    Ask,
    Answer,
    FailToAnswer,
    Wait(u64),
    Recheck,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => draft().prop_map(Step::Submit),
        2 => (any::<Index>(), 0..9_u64).prop_map(|(which, pause)| Step::Requeue(which, pause)),
        1 => any::<Index>().prop_map(Step::Cancel),
        1 => vec(worker(), 0..4).prop_map(Step::Workers),
        4 => (1..4_usize).prop_map(Step::Decide),
        1 => (1..4_usize).prop_map(Step::FailToClaim),
        4 => Just(Step::Ask),
        4 => Just(Step::Answer),
        1 => Just(Step::FailToAnswer),
        1 => (0..9_u64).prop_map(Step::Wait),
        1 => Just(Step::Recheck),
    ]
}

struct Yard {
    queue: Queue,
    bounds: Bounds,
    store: Store,
    running: Vec<TaskRecord>,
    workers: Vec<Worker>,
    now: u64,
    next: u32,
    lanes: Option<(LanesRead, Vec<Lane>)>,
    tasks: Option<(Vec<LaneRead>, Vec<LaneRows>)>,
}

impl Yard {
    fn new(bounds: Bounds) -> Self {
        Self {
            queue: Queue::new(bounds),
            bounds,
            store: Store::default(),
            running: Vec::new(),
            workers: Vec::new(),
            now: 0,
            next: 0,
            lanes: None,
            tasks: None,
        }
    }

    fn now(&self) -> Timestamp {
        at(self.now)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Submit(draft) => self.submit(&draft),
            Step::Requeue(which, pause) => self.requeue(which, pause),
            Step::Cancel(which) => self.cancel(which),
            Step::Workers(workers) => self.employ(workers),
            Step::Decide(max) => {
                self.decide(max);
            }
            Step::FailToClaim(max) => self.fail_to_claim(max),
            Step::Ask => self.ask(),
            Step::Answer => self.answer(),
            Step::FailToAnswer => self.fail_to_answer(),
            Step::Wait(seconds) => self.now += seconds,
            Step::Recheck => self.queue.recheck(),
        }
        let bound = 2 * self.bounds.tasks + 4 * self.bounds.lanes;
        assert!(self.queue.len() <= bound, "{} tasks are held", self.queue.len());
    }

    fn submit(&mut self, draft: &Draft) {
        let record = TaskRecord { created_at: self.now(), ..draft.record(self.next) };
        self.next += 1;
        let (_, seats) = self.seats();
        match self.queue.seat_now(&record, &seats) {
            Some(boot_id) => {
                let seat = seats.iter().find(|seat| seat.boot_id == boot_id).unwrap();
                assert!(seat.free() > 0);
                self.nobody_was_overtaken(&record, seat);
                self.running.push(record);
            }
            None => {
                self.store.queued.insert(record.id, record.clone());
                self.queue.add(&record, None);
            }
        }
    }

    fn nobody_was_overtaken(&self, record: &TaskRecord, seat: &Seat) {
        let (profiles, _) = self.seats();
        let profile = &profiles[seat.profile];
        assert!(fits(profile, record));
        let waits = |task: &&TaskRecord| fits(profile, task) && task.is_ready(self.now());
        assert_eq!(self.store.queued.values().find(waits), None);
    }

    fn requeue(&mut self, which: Index, pause: u64) {
        if self.running.is_empty() {
            return;
        }
        let mut record = self.running.swap_remove(which.index(self.running.len()));
        record.not_before = Some(at(self.now + pause));
        self.store.queued.insert(record.id, record.clone());
        self.queue.add(&record, None);
    }

    fn cancel(&mut self, which: Index) {
        let ids: Vec<TaskId> = self.store.queued.keys().copied().collect();
        if !ids.is_empty() {
            let id = ids[which.index(ids.len())];
            self.store.queued.remove(&id);
            self.queue.remove(id);
        }
    }

    fn employ(&mut self, workers: Vec<Worker>) {
        self.workers = workers;
        let (profiles, _) = self.seats();
        self.queue.workers(profiles);
    }

    fn seats(&self) -> (Vec<taskfleet_core::placement::Profile>, Vec<Seat>) {
        seats(&self.workers)
    }

    /// As the dispatcher, which decides and claims only when no answer is under way.
    fn decide(&mut self, max: usize) -> usize {
        self.answer();
        self.queue.wake(self.now());
        let (_, mut seats) = self.seats();
        let placed = self.queue.place(&mut seats, &mut Unlimited, max);
        for placed in &placed {
            // One that was cancelled is refused.
            self.running.extend(self.store.queued.remove(&placed.task));
        }
        placed.len()
    }

    fn fail_to_claim(&mut self, max: usize) {
        self.answer();
        let (_, mut seats) = self.seats();
        let placed = self.queue.place(&mut seats, &mut Unlimited, max);
        self.queue.put_back(placed.iter().map(|placed| placed.lane.as_ref()));
    }

    fn ask(&mut self) {
        if self.lanes.is_none() {
            self.lanes = self.queue.wants_lanes().map(|read| {
                let lanes = self.store.lanes(read.after.as_ref(), read.limit);
                (read, lanes)
            });
        }
        if self.tasks.is_none() {
            let now = self.now();
            self.queue.wake(now);
            let reads = self.queue.wants_tasks();
            let rows = reads.iter().map(|read| self.store.ready(read, now)).collect();
            self.tasks = Some((reads, rows));
        }
    }

    fn answer(&mut self) {
        if let Some((read, lanes)) = self.lanes.take() {
            self.queue.found(&read, lanes);
        }
        if let Some((reads, rows)) = self.tasks.take() {
            self.queue.read(reads.into_iter().zip(rows));
        }
    }

    fn fail_to_answer(&mut self) {
        self.lanes = None;
        if let Some((reads, _)) = self.tasks.take() {
            self.queue.not_read(&reads);
        }
    }

    /// Everything that some worker takes is placed in the end, and all that is too large for
    /// those that could run it is named.
    fn come_to_rest(&mut self) {
        self.answer();
        self.now += 100;
        for worker in &mut self.workers {
            (worker.slots, worker.in_use) = (4, 0);
        }
        let mut rounds = 0;
        loop {
            let now = self.now();
            let asked = self.store.answer(&mut self.queue, now);
            let placed = self.decide(3) > 0;
            if !asked && !placed && !self.end_too_large() {
                break;
            }
            rounds += 1;
            assert!(rounds < 1_000, "it never stops asking");
        }
        let (profiles, _) = self.seats();
        let suited = |task: &&TaskRecord| {
            profiles.iter().any(|known| known.suits(task.model.as_deref(), task.needs))
        };
        assert_eq!(self.store.queued.values().find(suited), None, "it was missed");
    }

    fn end_too_large(&mut self) -> bool {
        let (profiles, _) = self.seats();
        let found = self.queue.too_large(self.now(), std::time::Duration::ZERO);
        for (task, _) in &found {
            self.queue.remove(*task);
            if let Some(record) = self.store.queued.remove(task) {
                let suits = |known: &&taskfleet_core::placement::Profile| {
                    known.suits(record.model.as_deref(), record.needs)
                };
                assert!(profiles.iter().any(|known| suits(&known)), "somebody would run it");
                assert!(!profiles.iter().any(|known| fits(known, &record)), "if it were smaller");
            }
        }
        !found.is_empty()
    }
}

fn tiny() -> Bounds {
    Bounds { tasks: 6, lanes: 4, lane: 3, content_bytes: 100 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn nothing_is_missed_however_little_is_held(
        workers in vec(worker(), 1..4),
        steps in vec(step(), 0..80),
    ) {
        let mut yard = Yard::new(tiny());
        yard.employ(workers);
        for step in steps {
            yard.take(step);
        }
        yard.come_to_rest();
    }

    #[test]
    fn nothing_is_missed_when_there_is_room_for_all(
        workers in vec(worker(), 1..4),
        steps in vec(step(), 0..80),
    ) {
        let mut yard = Yard::new(Bounds { lane: 5, ..Bounds::default() });
        yard.employ(workers);
        for step in steps {
            yard.take(step);
        }
        yard.come_to_rest();
    }
}

/// One worker with one slot, free each time.
fn order(yard: &mut Yard, count: usize) -> Vec<String> {
    let mut order = Vec::new();
    for _ in 0..count {
        let now = yard.now();
        yard.store.answer_all(&mut yard.queue, now);
        let (_, mut seats) = yard.seats();
        for placed in yard.queue.place(&mut seats, &mut Unlimited, 1) {
            order.push(yard.store.queued.remove(&placed.task).unwrap().tenant);
        }
    }
    order
}

fn yard_of_one(bounds: Bounds) -> Yard {
    let mut yard = Yard::new(bounds);
    let features = taskfleet_core::demand::Features::ALL;
    let models = vec!["served".to_owned()];
    let profile =
        taskfleet_core::placement::Profile { models, features, max_request_bytes: 1 << 20 };
    yard.employ(vec![Worker { profile, slots: 1, in_use: 0 }]);
    yard
}

fn put(yard: &mut Yard, record: &TaskRecord) {
    yard.store.queued.insert(record.id, record.clone());
    yard.queue.add(record, None);
}

#[test]
fn a_batch_of_one_tenant_delays_the_task_of_another_by_no_turn() {
    let mut yard = yard_of_one(tiny());
    (0..100).for_each(|n| put(&mut yard, &plain(n, "many")));
    order(&mut yard, 10);
    put(&mut yard, &plain(200, "one"));
    assert_eq!(order(&mut yard, 3), ["one", "many", "many"]);
}

#[test]
fn tenants_take_turns_also_when_more_of_them_wait_than_are_held() {
    let mut yard = yard_of_one(tiny());
    for n in 0..30_u32 {
        for round in 0..5 {
            put(&mut yard, &plain(round * 100 + n, &format!("tenant {n:02}")));
        }
    }
    let order = order(&mut yard, 45);
    assert_eq!(order.len(), 45);
    for tenant in (0..30).map(|n| format!("tenant {n:02}")) {
        let turns = order.iter().filter(|name| **name == tenant).count();
        assert!((1..=4).contains(&turns), "{tenant} had {turns} turns");
    }
}

#[test]
fn tasks_that_nobody_runs_are_not_held_and_keep_nobody_out() {
    let mut yard = yard_of_one(tiny());
    for n in 0..200 {
        let model = Some(format!("unserved {}", n % 20));
        put(&mut yard, &TaskRecord { model, priority: 100, ..plain(n, "many") });
    }
    assert_eq!(yard.queue.len(), 0);
    let now = yard.now();
    yard.store.answer_all(&mut yard.queue, now);
    let (_, seats) = yard.seats();
    assert!(yard.queue.seat_now(&plain(500, "one"), &seats).is_some(), "nobody waits before it");
    put(&mut yard, &plain(501, "one"));
    assert_eq!(order(&mut yard, 2), ["one"]);
}

#[test]
fn a_thousand_backoffs_that_end_at_once_are_held_part_by_part() {
    let bounds = Bounds { tasks: 64, lanes: 4, lane: 32, content_bytes: 100 };
    let mut yard = yard_of_one(bounds);
    for n in 0..1_000 {
        let not_before = Some(at(u64::from(n % 7)));
        put(&mut yard, &TaskRecord { not_before, ..plain(n, "many") });
    }
    yard.now = 10;
    let mut placed = 0;
    while !yard.store.queued.is_empty() {
        let before = placed;
        placed += order(&mut yard, 1).len();
        assert!(placed > before, "{} were forgotten", yard.store.queued.len());
        assert!(yard.queue.len() <= 2 * bounds.lane, "{} are held", yard.queue.len());
    }
    assert_eq!(placed, 1_000);
}
