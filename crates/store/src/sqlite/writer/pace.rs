//! When the next transaction may begin.

use std::{
    thread,
    time::{Duration, Instant},
};

/// From the beginning of one transaction to that of the next, when commands come together. Each
/// transaction costs a sync, and writes the last page of every table and index once more, whether
/// one command changes it or a hundred.
const INTERVAL: Duration = Duration::from_millis(2);

/// Keeps transactions apart as long as several commands come while one goes on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the latest one began, if several commands were in it.
    crowded: Option<Instant>,
}

impl Pace {
    /// Waits until the next transaction may begin.
    #[expect(clippy::disallowed_methods, reason = "what gathers meanwhile is to wait")]
    pub(super) fn keep(&self) {
        let left = self.crowded.and_then(|began| INTERVAL.checked_sub(began.elapsed()));
        if let Some(left) = left {
            thread::sleep(left);
        }
    }

    /// A transaction of so many commands begins.
    #[expect(clippy::disallowed_methods, reason = "a thread beside every runtime and its clock")]
    pub(super) fn begin(&mut self, commands: usize) {
        self.crowded = (commands > 1).then(Instant::now);
    }
}
