//! What is known of a worker from its own word, or from a listing.

use taskfleet_core::{Timestamp, task::Holder};

use crate::trust::Trust;

/// What a worker says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) address: String,
    /// 0: not registered; what it runs may end, and it gets nothing new.
    pub(crate) slots: u32,
    pub(crate) models: Vec<String>,
    pub(crate) features: Vec<String>,
    pub(crate) max_request_bytes: u64,
    pub(crate) account: String,
    pub(crate) version: String,
    pub(crate) draining: bool,
    pub(crate) registered_at: Timestamp,
    pub(crate) foreign_held: u64,
    /// Slots that calls of others take: another store's, or of clients of its own.
    pub(crate) taken: u32,
    /// It comes from a registration.
    pub(crate) registered: bool,
    /// What its registration proved.
    pub(crate) trust: Trust,
    /// It is one of ours on this machine.
    pub(crate) local: Option<Local>,
}

/// A worker that the supervisor of this store started on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local {
    /// Which one, from 1.
    pub(crate) number: u32,
    /// Its process id.
    pub(crate) pid: u32,
}

impl Description {
    pub(crate) fn of_holder(holder: &Holder) -> Self {
        Self { name: holder.name.clone(), address: holder.address.clone(), ..Self::default() }
    }

    /// Slots that others leave; at least one where it has any, for without any it would not
    /// count as registered.
    pub(crate) fn free_for_us(&self) -> u32 {
        self.slots.saturating_sub(self.taken).max(self.slots.min(1))
    }
}
