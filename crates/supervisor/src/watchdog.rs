//! Ready means that work gets on: the dispatcher makes its turns and the store takes writes.
//!
//! Time is counted in rounds, so that a pause of the whole process is held against nobody.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use taskfleet_store::StoreError;

use crate::engine::Engine;

/// The part that keeps tasks, in [`taskfleet_runtime::health::Readiness`].
pub(crate) const STORE: &str = "store";
const DISPATCHER: &str = "dispatcher";

/// How often it is looked whether work gets on.
const ROUND: Duration = Duration::from_millis(500);
/// Rounds without any progress after which a part stands still: three seconds.
const IDLE_ROUNDS: u32 = 6;
/// Whoever asks for health hears of it within five seconds, and of its end within two.
const _: () = assert!(ROUND.as_millis() * (IDLE_ROUNDS as u128 + 2) < 5_000);
const _: () = assert!(ROUND.as_millis() * 2 < 2_000);

/// Watches over the dispatcher, until the supervisor stops. It makes a turn a second when
/// there is nothing to do.
pub(crate) async fn dispatcher(engine: Arc<Engine>) {
    let mut pulse = Pulse::default();
    while next_round(&engine).await {
        match pulse.idle_rounds(engine.turns.load(Ordering::Relaxed)) {
            0 => engine.readiness.clear(DISPATCHER),
            IDLE_ROUNDS.. => engine.readiness.block(DISPATCHER, "it stands still"),
            _ => {}
        }
    }
}

/// Watches over the store, until the supervisor stops.
pub(crate) async fn store(engine: Arc<Engine>) {
    while next_round(&engine).await {
        match checked(&engine).await {
            Some(Ok(())) => engine.readiness.clear(STORE),
            Some(Err(error)) => engine.readiness.block(STORE, error.to_string()),
            None => return,
        }
    }
}

/// What the store's check answers; `None`: the supervisor stops. A check that waits behind
/// other writes is in order as long as these are done.
async fn checked(engine: &Engine) -> Option<Result<(), StoreError>> {
    let mut pulse = Pulse::default();
    let mut check = engine.store.check();
    loop {
        tokio::select! {
            biased;
            answer = &mut check => return Some(answer),
            going_on = next_round(engine) => if !going_on { return None },
        }
        let written = (engine.store.counts(), engine.store.totals());
        if pulse.idle_rounds(written) >= IDLE_ROUNDS {
            engine.readiness.block(STORE, "it does not get on with writing");
        }
    }
}

/// Something that changes while work gets on.
struct Pulse<T> {
    seen: Option<T>,
    idle: u32,
}

impl<T> Default for Pulse<T> {
    fn default() -> Self {
        Self { seen: None, idle: 0 }
    }
}

impl<T: PartialEq> Pulse<T> {
    /// For how many rounds it has been as it is `now`.
    fn idle_rounds(&mut self, now: T) -> u32 {
        let same = self.seen.as_ref() == Some(&now);
        self.idle = if same { self.idle + 1 } else { 0 };
        self.seen = Some(now);
        self.idle
    }
}

async fn next_round(engine: &Engine) -> bool {
    tokio::select! {
        () = tokio::time::sleep(ROUND) => true,
        () = engine.tasks.stopping() => false,
    }
}
