//! What workers hold that another copy of this store gave out: one that is newer than this
//! file, or that was served meanwhile. It is left with them for that copy, for as long as a
//! worker holds what nobody settles.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use taskfleet_core::{
    Instant,
    adoption::{Held, Memory},
    limits::HOLD_UNSETTLED,
    machine::Refusal,
};

use super::{Member, Verdict};
use crate::engine::Engine;

/// Since when each is known.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<Held, Instant>>);

impl Kept {
    /// The worker says that it `holds` these; `kept` are left with it. How many of them are
    /// news.
    fn note(&self, holds: &[Held], kept: &[Held], now: Instant) -> usize {
        self.with(|known| {
            let holds: HashSet<&Held> = holds.iter().collect();
            known.retain(|held, _| holds.contains(held));
            let before = known.len();
            for held in kept {
                known.entry(*held).or_insert(now);
            }
            known.len() - before
        })
    }

    fn count(&self) -> usize {
        self.with(|known| known.len())
    }

    /// Those that have been left for long enough and are driven by nobody here; they are
    /// forgotten.
    fn take_due(&self, now: Instant, is_driven: impl Fn(Held) -> bool) -> Vec<Held> {
        self.with(|known| {
            let due = |held: &Held, since: &mut Instant| {
                now.since(*since) >= HOLD_UNSETTLED && !is_driven(*held)
            };
            known.extract_if(due).map(|(held, _)| held).collect()
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<Held, Instant>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Member {
    /// Executions and outcomes there that another copy of this store gave out.
    pub(crate) fn newer_held(&self) -> u64 {
        self.kept.count() as u64
    }

    /// Leaves executions and outcomes with the worker, and says loudly why.
    pub(super) fn leave(&self, engine: &Engine, holds: &[Held], kept: &[Held], adopted: usize) {
        let news = self.kept.note(holds, kept, Instant::from_micros(engine.time.micros()));
        if news == 0 {
            return;
        }
        let newest = kept.iter().map(|held| held.lease.epoch().number()).max();
        tracing::error!(
            worker = self.name(),
            executions = kept.len(),
            adopted,
            epoch_of_lease = newest,
            epoch_before = engine.store.identity().former.number(),
            "this store is older than what the fleet works on, or another copy of it was served: \
             a worker holds executions that it never gave out. They are left there for an hour. If \
             the wrong store is mounted, stop this supervisor and start it with the right one, \
             which finds them there"
        );
    }
}

impl Engine {
    /// Whether this file gave out a lease that its task refused, so that it may be settled.
    pub(super) async fn gave_out(&self, held: Held, refusal: Refusal) -> bool {
        let own = self.store.identity();
        let retention = self.settings.retention();
        let memory = Memory { epoch: own.epoch, former: own.former, retention };
        if refusal == Refusal::Unknown {
            return memory.pruned(held, self.time.now());
        }
        match self.store.task(held.task, 0).await {
            Ok(Some(task)) => {
                let ended = task.attempts.iter().map(|attempt| attempt.lease);
                memory.gave_out(held.lease, &task.record, ended)
            }
            Ok(None) => memory.pruned(held, self.time.now()),
            // Not known now: nothing is destroyed.
            Err(_) => false,
        }
    }

    /// Settles what was left with workers for long enough.
    pub(crate) async fn end_what_was_left(self: &Arc<Self>) {
        let now = Instant::from_micros(self.time.micros());
        for member in self.fleet.members() {
            for held in member.kept.take_due(now, |held| self.executions.is_ours(held)) {
                member.settle(held, Verdict::Stale).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use taskfleet_core::{Lease, TaskId};

    use super::*;

    fn held(n: u8) -> Held {
        Held { task: TaskId::from_bytes([n; 16]), lease: Lease::new(1) }
    }

    #[test]
    fn it_is_left_for_an_hour_since_it_was_first_seen_and_not_while_it_is_driven() {
        let (kept, start) = (Kept::default(), Instant::default());
        let [one, two, driven] = [1, 2, 3].map(held);
        assert_eq!(kept.note(&[one, two, driven], &[one, two, driven], start), 3);
        let later = start + Duration::from_secs(1_800);
        assert_eq!(kept.note(&[one, driven], &[one], later), 0, "no news, and one has gone");
        assert_eq!(kept.count(), 2);
        let almost = start + Duration::from_secs(3_599);
        assert_eq!(kept.take_due(almost, |held| held == driven), []);
        let due = start + HOLD_UNSETTLED;
        assert_eq!(kept.take_due(due, |held| held == driven), [one]);
        assert_eq!(kept.take_due(due, |_| false), [driven]);
        assert_eq!(kept.count(), 0);
    }
}
