//! What a worker runs and holds, and every rule about it.
//!
//! - (task, lease) runs once; of two leases of a task the higher is right.
//! - An outcome is held until it is settled or its time is over.
//! - A lease that ended, was cancelled or was denied once never runs here.
//! - One store is served at a time; another can neither settle nor drop what is held.

mod memory;

use std::{collections::HashMap, time::Duration};

use memory::EndedLeases;

use crate::{Epoch, Instant, Lease, StoreId, TaskId, adoption::Held};

/// What bounds the table.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Executions at once.
    pub slots: usize,
    /// Outcomes held at once.
    pub max_held: usize,
    /// Bytes of outcomes held at once.
    pub max_held_bytes: usize,
    /// How long an outcome is held without any supervisor.
    pub hold_for: Duration,
    /// Ended leases remembered at most; the oldest are forgotten first.
    pub max_remembered: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            slots: crate::limits::DEFAULT_SLOTS as usize,
            max_held: 10_000,
            max_held_bytes: 256 << 20,
            hold_for: crate::limits::HOLD_UNSETTLED,
            max_remembered: 1_000_000,
        }
    }
}

/// Who calls: the supervisor of a store, in its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The store that it serves.
    pub store: StoreId,
    /// The epoch in which it does.
    pub epoch: Epoch,
}

/// What to do about a request to process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// Start the execution, after aborting the superseded one.
    Start {
        /// The lower lease of the task that ran here.
        abort: Option<Lease>,
    },
    /// Attach to the execution that runs or is held.
    Attach,
}

/// Why a worker does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A later epoch of the same store has been here: its supervisor took over, for good.
    #[error("a supervisor of this store with a later epoch has taken this worker over")]
    Superseded {
        /// The latest that was here.
        by: Epoch,
    },
    /// Another store is served, or the caller has not adopted this worker.
    #[error("another supervisor serves this worker now")]
    NotServed,
    /// The lease ended here, or a higher one is known.
    #[error("the lease has ended or was superseded")]
    Ended,
    /// Only to be attached to, and not here; it never will be.
    #[error("the lease is not held here")]
    NotHeld,
    /// All slots are in use.
    #[error("all slots are in use")]
    NoSlot,
    /// Too many outcomes wait to be settled.
    #[error("the outbox is full")]
    OutboxFull,
    /// The worker is about to stop.
    #[error("the worker is draining")]
    Draining,
}

/// What a settlement or a cancel did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freed {
    /// A held outcome was dropped.
    Outcome,
    /// It still runs: abort it.
    Running,
    /// There was nothing.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    store: StoreId,
    lease: Lease,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    Held { bytes: usize, since: Instant },
}

/// The executions of one worker process.
#[derive(Debug)]
pub struct ExecutionTable {
    bounds: Bounds,
    serving: Option<StoreId>,
    epochs: HashMap<StoreId, Epoch>,
    entries: HashMap<TaskId, Entry>,
    ended: EndedLeases,
    running: usize,
    /// The same, by store; one entry for each that was ever served.
    running_for: HashMap<StoreId, usize>,
    held: usize,
    held_bytes: usize,
    heard_at: Instant,
    draining: bool,
}

impl ExecutionTable {
    /// An empty table.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            serving: None,
            epochs: HashMap::new(),
            entries: HashMap::new(),
            ended: EndedLeases::new(bounds.max_remembered),
            running: 0,
            running_for: HashMap::new(),
            held: 0,
            held_bytes: 0,
            heard_at: Instant::default(),
            draining: false,
        }
    }

    /// A supervisor takes the worker over: from now on lower epochs of its store are
    /// refused. Returns what is held for it.
    ///
    /// # Errors
    /// [`Refused::Superseded`] when a later epoch of the same store has been here.
    pub fn adopt(&mut self, caller: Caller, now: Instant) -> Result<Vec<Held>, Refused> {
        let known = self.epochs.entry(caller.store).or_default();
        if caller.epoch < *known {
            return Err(Refused::Superseded { by: *known });
        }
        *known = caller.epoch;
        self.serving = Some(caller.store);
        self.heard_at = now;
        Ok(self.held_for(caller.store))
    }

    /// Whether a call of this supervisor is to be followed.
    ///
    /// # Errors
    /// [`Refused::Superseded`] or [`Refused::NotServed`] when another one has taken over.
    pub fn check(&mut self, caller: Caller, now: Instant) -> Result<(), Refused> {
        match self.epochs.get(&caller.store) {
            Some(latest) if *latest > caller.epoch => Err(Refused::Superseded { by: *latest }),
            Some(latest) if *latest == caller.epoch && self.serving == Some(caller.store) => {
                self.heard_at = now;
                Ok(())
            }
            _ => Err(Refused::NotServed),
        }
    }

    /// A request to run or attach to (task, lease).
    ///
    /// # Errors
    /// See [`Refused`]. None of them started anything, and after all but
    /// [`Refused::NotServed`] nothing ever will under this lease.
    pub fn process(
        &mut self,
        caller: Caller,
        wanted: Held,
        attach_only: bool,
        now: Instant,
    ) -> Result<Admitted, Refused> {
        self.check(caller, now)?;
        let entry = self.entries.get(&wanted.task).copied();
        match entry {
            Some(entry) if entry.lease == wanted.lease => return Ok(Admitted::Attach),
            Some(entry) if entry.lease > wanted.lease => return Err(Refused::Ended),
            _ => {}
        }
        if attach_only {
            // The request that would have started it may still be on its way, on another
            // connection: it must find the lease ended.
            self.ended.remember(wanted, now);
            return Err(Refused::NotHeld);
        }
        if self.ended.covers(wanted) {
            return Err(Refused::Ended);
        }
        if let Err(refused) = self.make_room(entry) {
            // The supervisor requeues it for free: it must not start here after all.
            self.ended.remember(wanted, now);
            return Err(refused);
        }
        let abort = self.supersede(wanted.task, entry, now);
        let phase = Phase::Running;
        let entry = Entry { store: caller.store, lease: wanted.lease, phase };
        self.entries.insert(wanted.task, entry);
        self.runs_more(caller.store);
        Ok(Admitted::Start { abort })
    }

    /// The execution's call ended; its outcome of `bytes` bytes is held from now on. False
    /// when nobody wants it any more: it was cancelled, settled as stale or superseded.
    pub fn finish(&mut self, ended: Held, bytes: usize, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(&ended.task) else {
            return false;
        };
        if entry.lease != ended.lease || !matches!(entry.phase, Phase::Running) {
            return false;
        }
        entry.phase = Phase::Held { bytes, since: now };
        let store = entry.store;
        self.runs_less(store);
        self.held += 1;
        self.held_bytes += bytes;
        true
    }

    /// A lease is over, by the supervisor's word: its outcome is on disk, or void.
    ///
    /// # Errors
    /// As of [`ExecutionTable::check`].
    pub fn settle(&mut self, caller: Caller, lease: Held, now: Instant) -> Result<Freed, Refused> {
        self.check(caller, now)?;
        self.ended.remember(lease, now);
        match self.entries.get(&lease.task) {
            Some(entry) if entry.lease == lease.lease && entry.store == caller.store => {
                Ok(self.remove(lease.task))
            }
            _ => Ok(Freed::Nothing),
        }
    }

    /// Drops outcomes whose time is over, and forgets what ended long ago. Returns how many
    /// outcomes were dropped.
    pub fn expire(&mut self, now: Instant) -> usize {
        self.ended.forget(now);
        let (hold_for, heard_at) = (self.bounds.hold_for, self.heard_at);
        let over: Vec<Held> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_over(self.serving, heard_at, hold_for, now))
            .map(|(task, entry)| Held { task: *task, lease: entry.lease })
            .collect();
        for dropped in &over {
            self.ended.remember(*dropped, now);
            self.remove(dropped.task);
        }
        over.len()
    }

    /// Whether (task, lease) runs or its outcome is held.
    #[must_use]
    pub fn holds(&self, wanted: Held) -> bool {
        self.entries.get(&wanted.task).is_some_and(|entry| entry.lease == wanted.lease)
    }

    /// From now on nothing new is started.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Executions whose call goes on.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Outcomes that wait to be settled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The executions and outcomes of other stores than the one that is served.
    #[must_use]
    pub fn foreign(&self) -> usize {
        self.entries.values().filter(|entry| Some(entry.store) != self.serving).count()
    }

    /// Those of them whose call goes on, each in a slot.
    #[must_use]
    pub fn foreign_running(&self) -> usize {
        let own = self.serving.and_then(|store| self.running_for.get(&store));
        self.running - own.copied().unwrap_or_default()
    }

    /// Bytes of held outcomes.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn held_for(&self, store: StoreId) -> Vec<Held> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.store == store)
            .map(|(task, entry)| Held { task: *task, lease: entry.lease })
            .collect()
    }

    /// The slot of a superseded execution of the same task counts as free.
    fn make_room(&self, superseded: Option<Entry>) -> Result<(), Refused> {
        let freed = superseded.is_some_and(|entry| matches!(entry.phase, Phase::Running));
        if self.draining {
            Err(Refused::Draining)
        } else if self.running - usize::from(freed) >= self.bounds.slots {
            Err(Refused::NoSlot)
        } else if self.held >= self.bounds.max_held || self.held_bytes >= self.bounds.max_held_bytes
        {
            Err(Refused::OutboxFull)
        } else {
            Ok(())
        }
    }

    fn supersede(&mut self, task: TaskId, entry: Option<Entry>, now: Instant) -> Option<Lease> {
        let entry = entry?;
        self.ended.remember(Held { task, lease: entry.lease }, now);
        match self.remove(task) {
            Freed::Running => Some(entry.lease),
            Freed::Outcome | Freed::Nothing => None,
        }
    }

    fn runs_more(&mut self, store: StoreId) {
        self.running += 1;
        *self.running_for.entry(store).or_default() += 1;
    }

    fn runs_less(&mut self, store: StoreId) {
        self.running -= 1;
        *self.running_for.entry(store).or_default() -= 1;
    }

    fn remove(&mut self, task: TaskId) -> Freed {
        match self.entries.remove(&task) {
            Some(Entry { phase: Phase::Running, store, .. }) => {
                self.runs_less(store);
                Freed::Running
            }
            Some(Entry { phase: Phase::Held { bytes, .. }, .. }) => {
                self.held -= 1;
                self.held_bytes -= bytes;
                Freed::Outcome
            }
            None => Freed::Nothing,
        }
    }
}

impl Entry {
    /// An outcome is dropped when neither it nor its supervisor was heard of for so long.
    fn is_over(
        &self,
        serving: Option<StoreId>,
        heard_at: Instant,
        hold_for: Duration,
        now: Instant,
    ) -> bool {
        let Phase::Held { since, .. } = self.phase else {
            return false;
        };
        let from = if serving == Some(self.store) { since.max(heard_at) } else { since };
        now.since(from) >= hold_for
    }
}

#[cfg(test)]
#[path = "execution/tests.rs"]
mod tests;
