//! Randomness, injected.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// A shared source of randomness for ids, jitter and backoffs (not for keys).
#[derive(Clone)]
pub struct Entropy {
    rng: Arc<Mutex<StdRng>>,
}

impl Entropy {
    /// Seeded by the operating system.
    #[must_use]
    pub fn from_os() -> Self {
        Self::from_rng(rand::make_rng())
    }

    /// The same sequence for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::from_rng(StdRng::seed_from_u64(seed))
    }

    fn from_rng(rng: StdRng) -> Self {
        Self { rng: Arc::new(Mutex::new(rng)) }
    }

    /// Random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.lock(|rng| rng.fill(&mut bytes[..]));
        bytes
    }

    /// A number in 0..1.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.lock(|rng| rng.random())
    }

    /// A duration between half of `duration` and all of it.
    #[must_use]
    pub fn jittered(&self, duration: Duration) -> Duration {
        duration.mul_f64(0.5 + self.fraction() / 2.0)
    }

    fn lock<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
