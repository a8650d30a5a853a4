//! The table of leases and the executions themselves, kept in step.

use std::{collections::HashMap, sync::Arc};

use taskfleet_core::{
    Instant, TaskId,
    adoption::Held,
    execution::{Admitted, Bounds, Caller, ExecutionTable, Freed, Refused},
};

use super::{Identity, Load, execution::Execution};

/// What a supervisor learns when it takes over.
pub(crate) struct Adopted {
    /// What is held for it, and whether it has ended.
    pub(crate) held: Vec<(Held, bool)>,
    /// What is kept for another store.
    pub(crate) foreign: usize,
    /// What of that runs.
    pub(crate) foreign_running: usize,
}

/// All that runs or is held; lives under one lock.
pub(super) struct Book {
    table: ExecutionTable,
    leased: HashMap<TaskId, Arc<Execution>>,
    unleased: HashMap<u64, Arc<Execution>>,
    last_unleased: u64,
    slots: usize,
    draining: bool,
}

impl Book {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            table: ExecutionTable::new(bounds),
            leased: HashMap::new(),
            unleased: HashMap::new(),
            last_unleased: 0,
            slots: bounds.slots,
            draining: false,
        }
    }

    pub(super) fn process(
        &mut self,
        caller: Caller,
        wanted: Held,
        attach_only: bool,
        now: Instant,
    ) -> Result<Admitted, Refused> {
        // The table counts leased executions only.
        if self.unleased.is_empty() || attach_only || self.running_count() < self.slots {
            return self.table.process(caller, wanted, attach_only, now);
        }
        // Full, but who is here may be attached to; and what is refused never starts later.
        match self.table.process(caller, wanted, true, now) {
            Err(Refused::NotHeld) => Err(Refused::NoSlot),
            decided => decided,
        }
    }

    /// The execution of a lease that was admitted; the one that it supersedes, if any.
    pub(super) fn insert(&mut self, started: Held) -> Option<Arc<Execution>> {
        let execution = Arc::new(Execution::new(Identity::Leased(started)));
        self.leased.insert(started.task, execution)
    }

    pub(super) fn find(&self, wanted: Held) -> Option<Arc<Execution>> {
        let found = self.leased.get(&wanted.task);
        found.filter(|execution| execution.identity().lease() == wanted.lease).cloned()
    }

    pub(super) fn start_unleased(&mut self, task: String) -> Result<Arc<Execution>, Refused> {
        if self.draining {
            return Err(Refused::Draining);
        }
        if self.running_count() >= self.slots {
            return Err(Refused::NoSlot);
        }
        self.last_unleased += 1;
        let execution = Arc::new(Execution::new(Identity::Unleased(self.last_unleased, task)));
        self.unleased.insert(self.last_unleased, Arc::clone(&execution));
        Ok(execution)
    }

    /// The call of an execution has ended: its slot is free, its outcome of `bytes` is held.
    pub(super) fn finish(&mut self, identity: &Identity, bytes: usize, now: Instant) {
        match identity {
            Identity::Leased(held) => {
                // False: nobody wants it any more, and whoever said so removed it.
                self.table.finish(*held, bytes, now);
            }
            Identity::Unleased(number, _) => {
                self.unleased.remove(number);
            }
        }
    }

    pub(super) fn adopt(&mut self, caller: Caller, now: Instant) -> Result<Adopted, Refused> {
        let held = self.table.adopt(caller, now)?;
        let ended = |held: &Held| self.find(*held).is_some_and(|execution| execution.has_ended());
        let held = held.iter().map(|held| (*held, ended(held))).collect();
        Ok(Adopted {
            held,
            foreign: self.table.foreign(),
            foreign_running: self.table.foreign_running(),
        })
    }

    /// Frees what was held or ran under these leases, and says which it was.
    pub(super) fn settle(
        &mut self,
        caller: Caller,
        leases: &[Held],
        now: Instant,
    ) -> Result<Vec<(Freed, Arc<Execution>)>, Refused> {
        self.table.check(caller, now)?;
        let mut all = Vec::new();
        for lease in leases {
            let freed = self.table.settle(caller, *lease, now)?;
            if freed != Freed::Nothing
                && let Some(execution) = self.leased.remove(&lease.task)
            {
                all.push((freed, execution));
            }
        }
        Ok(all)
    }

    /// Drops what was held for too long; how many outcomes that were.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let dropped = self.table.expire(now);
        if dropped > 0 {
            let table = &self.table;
            self.leased.retain(|task, execution| {
                table.holds(Held { task: *task, lease: execution.identity().lease() })
            });
        }
        dropped
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.table.drain();
    }

    /// The executions whose call goes on.
    pub(super) fn running(&self) -> Vec<Arc<Execution>> {
        let all = self.leased.values().chain(self.unleased.values());
        all.filter(|execution| !execution.has_ended()).cloned().collect()
    }

    pub(super) fn load(&self) -> Load {
        Load {
            running: self.running_count(),
            taken: self.table.foreign_running() + self.unleased.len(),
            held: self.table.held(),
            held_bytes: self.table.held_bytes(),
            draining: self.draining,
        }
    }

    fn running_count(&self) -> usize {
        self.table.running() + self.unleased.len()
    }
}
