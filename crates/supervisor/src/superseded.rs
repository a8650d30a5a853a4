//! Another supervisor of this store serves its workers: this one stands back.
//!
//! It happens when a copy of the store is served beside the original. Whoever has the later
//! epoch is followed by the workers. The other hands out nothing and takes no tasks, but does
//! not end: started again by a machine it would raise its epoch, take the workers over in turn,
//! and so on. What its store says is running stays so, for only a start, which is an operator's
//! decision, can ask the workers again.

use std::sync::OnceLock;

use taskfleet_core::Epoch;
use taskfleet_proto::read_superseded;
use tonic::Status;

use crate::engine::Engine;

/// What is said to clients and operators.
pub(crate) const WORDS: &str = "another supervisor with a later epoch of this store serves its \
    workers, as when a copy of the store is served; this one hands out nothing until it is \
    started again";

/// By which epoch, once it is known.
#[derive(Default)]
pub(crate) struct Superseded {
    by: OnceLock<Epoch>,
}

impl Engine {
    /// The later epoch that serves this store's workers, if one does.
    pub(crate) fn superseded_by(&self) -> Option<Epoch> {
        self.superseded.by.get().copied()
    }

    /// Whether this supervisor hands out nothing and believes no loss any more.
    pub(crate) fn stands_back(&self) -> bool {
        self.superseded_by().is_some()
    }

    /// Whether a worker's answer to one of our calls says that a later epoch of this store has
    /// taken it over; from the first such answer on this supervisor stands back.
    pub(crate) fn is_superseded(&self, worker: &str, status: &Status) -> bool {
        let own = self.store.identity();
        let by = read_superseded(status, own.store).filter(|by| *by > own.epoch);
        if let Some(by) = by
            && self.superseded.by.set(by).is_ok()
        {
            tracing::error!(
                worker,
                epoch = own.epoch.number(),
                later_epoch = by.number(),
                "superseded: {WORDS}. Stop the one that is not wanted, then start the other again"
            );
            // Not ready, but alive: whoever starts again what is not alive would start a fight.
            self.readiness.block("fleet", "a later epoch of this store serves the workers");
            for member in self.fleet.members() {
                member.offer(self);
            }
        }
        by.is_some()
    }
}
