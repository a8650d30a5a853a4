//! The store's way to the disk, on a real file: each command is answered after its commit is
//! synced.
//!
//! `cargo bench -p taskfleet-store --bench commit`

#![expect(clippy::unwrap_used, reason = "a measurement that fails says where")]
#![allow(missing_docs, reason = "what is measured has a name")]

mod ground;

use divan::{Bencher, counter::ItemsCount};
use ground::Ground;

fn main() {
    divan::main();
}

/// From its submission to its outcome: three commits.
#[divan::bench(args = [1, 100])]
fn submit_claim_settle(bencher: Bencher<'_, '_>, tasks: usize) {
    let ground = Ground::new();
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| ground.settled(tasks));
}

/// Accepted, to wait.
#[divan::bench(args = [1, 100, 1_000])]
fn submit(bencher: Bencher<'_, '_>, tasks: usize) {
    let ground = Ground::new();
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| ground.queued(tasks));
}

/// Ended ones, taken out with all that belongs to them.
#[divan::bench(args = [1, 10, 100, 250], sample_size = 1)]
fn remove(bencher: Bencher<'_, '_>, tasks: usize) {
    let ground = Ground::new();
    // So that those that are taken out are not the latest ones.
    let kept = std::cell::RefCell::new(ground.settled(20_000));
    bencher
        .counter(ItemsCount::new(tasks))
        .with_inputs(|| {
            let mut kept = kept.borrow_mut();
            kept.extend(ground.settled(tasks));
            kept.drain(..tasks).collect()
        })
        .bench_local_values(|ended| ground.remove(ended));
}
