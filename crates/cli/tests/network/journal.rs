//! What happened, in order: the log of a failure, and what two runs of a seed are compared by.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Shared by everyone in the simulation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<String>,
    violations: Vec<String>,
}

/// Simulated time; outside of a host there is none.
pub(crate) fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

impl Journal {
    pub(crate) fn note(&self, what: impl Display) {
        self.note_at(now(), what);
    }

    pub(crate) fn note_at(&self, at: Duration, what: impl Display) {
        let line = format!("{:>9.3} {what}", at.as_secs_f64());
        self.lock().lines.push(line);
    }

    /// A promise was broken.
    pub(crate) fn violation(&self, what: impl Display) {
        self.violation_at(now(), what);
    }

    pub(crate) fn violation_at(&self, at: Duration, what: impl Display) {
        let what = what.to_string();
        self.note_at(at, format!("VIOLATION {what}"));
        self.lock().violations.push(what);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// The same for two runs in which the same happened at the same times (FNV-1a).
    pub(crate) fn hash(&self) -> u64 {
        let inner = self.lock();
        let bytes = inner.lines.iter().flat_map(|line| line.bytes().chain([b'\n']));
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
