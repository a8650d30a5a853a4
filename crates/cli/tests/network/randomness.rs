//! The process's own randomness, taken from the seed on the thread that simulates.
//!
//! Hash maps iterate in an order that the operating system's randomness decides, and tokio
//! draws from it which branch of a `select!` it looks at first. Both decide who sends first,
//! and so all that follows. The standard library lets `getrandom` be replaced; here it is.

use std::{cell::Cell, fs::File, io::Read};

use crate::chance::Chance;

thread_local! {
    static SEEDED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on randomness on this thread is a function of `seed`. To be called first of all on
/// a thread of its own: the standard library asks once a thread and counts on from there.
pub(crate) fn seed_this_thread(seed: u64) {
    SEEDED.set(Some(seed));
}

/// As `getrandom(2)`. What is not simulated gets what the system has.
#[expect(unsafe_code, reason = "the one way to seed the standard library's and tokio's choices")]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    if buffer.is_null() || length == 0 {
        return 0;
    }
    // SAFETY: the caller gives a buffer of this length to be written, as the manual page says.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    match SEEDED.get() {
        Some(state) => SEEDED.set(Some(fill(buffer, state))),
        None if from_the_system(buffer).is_err() => return -1,
        None => {}
    }
    isize::try_from(length).unwrap_or(-1)
}

fn fill(buffer: &mut [u8], state: u64) -> u64 {
    let mut chance = Chance::new(state);
    for chunk in buffer.chunks_mut(8) {
        chunk.copy_from_slice(&chance.next().to_le_bytes()[..chunk.len()]);
    }
    chance.next()
}

fn from_the_system(buffer: &mut [u8]) -> std::io::Result<()> {
    File::open("/dev/urandom")?.read_exact(buffer)
}
