//! One decision: which of the tasks that wait goes to which of the workers.
//!
//! `cargo bench -p taskfleet-core --bench placement`

#![expect(clippy::unwrap_used, reason = "a measurement that fails says where")]
#![allow(missing_docs, reason = "what is measured has a name")]

#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/queue/draft.rs"]
mod draft;
#[path = "../../tests/queue/store.rs"]
mod store;

use std::cell::RefCell;

use divan::{Bencher, black_box};
use taskfleet_core::{
    BootId,
    demand::Features,
    placement::{Profile, Seat, Unlimited},
    queue::{Bounds, Queue},
};

use crate::{
    draft::{at, plain},
    store::Store,
};

/// The slots of each worker.
const SLOTS: u32 = 64;
/// Tenants that take turns: as many lanes.
const TENANTS: u32 = 100;

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 30, 300], consts = [10, 100_000])]
fn decide<const WAITING: u32>(bencher: Bencher<'_, '_>, workers: u32) {
    let ground = RefCell::new(Ground::of(WAITING));
    let seats = seats(workers);
    bencher
        .with_inputs(|| {
            ground.borrow_mut().bring_back();
            seats.clone()
        })
        .bench_local_refs(|seats| ground.borrow_mut().decide(black_box(seats)));
}

/// A queue that stays as deep as it is.
struct Ground {
    queue: Queue,
    store: Store,
    placed: Vec<taskfleet_core::TaskId>,
}

impl Ground {
    fn of(waiting: u32) -> Self {
        let tasks = (0..waiting).map(|n| plain(n, &format!("tenant-{}", n % TENANTS)));
        let (mut queue, mut store) = (Queue::new(Bounds::default()), Store::of(tasks.collect()));
        queue.workers(vec![profile()]);
        store.answer_all(&mut queue, at(0));
        Self { queue, store, placed: Vec::new() }
    }

    fn decide(&mut self, seats: &mut [Seat]) {
        let placed = self.queue.place(seats, &mut Unlimited, 1);
        assert_eq!(placed.len(), 1);
        self.placed.extend(placed.into_iter().map(|placed| placed.task));
    }

    /// What was placed waits again.
    fn bring_back(&mut self) {
        for task in self.placed.drain(..) {
            self.queue.add(&self.store.queued[&task], None);
        }
    }
}

fn profile() -> Profile {
    Profile { models: Vec::new(), features: Features::ALL, max_request_bytes: 1 << 20 }
}

/// Workers with a part of their slots in use, more or less of it.
fn seats(workers: u32) -> Vec<Seat> {
    let seat = |n: u32| Seat {
        boot_id: BootId::from_bytes(u128::from(n).to_be_bytes()),
        profile: 0,
        slots: SLOTS,
        in_use: n * 7 % SLOTS,
        taken_alone: false,
    };
    (0..workers).map(seat).collect()
}
