//! The machines: whose process runs, and what time their clocks tell.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::plan::Host;

/// When the simulation begins, since 1970.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// Every machine. Clones are the same ones.
#[derive(Clone, Default)]
pub(crate) struct Machines(Arc<Mutex<BTreeMap<Host, Machine>>>);

#[derive(Default)]
struct Machine {
    /// A process is to run, or to be started again when the present one has stopped.
    wanted: bool,
    /// One runs.
    alive: bool,
    /// How many processes there have been.
    processes: u64,
    /// Asks the present one to stop.
    stop: CancellationToken,
    /// It has.
    ended: bool,
    /// By how many seconds the clock is off.
    clock_off: i64,
}

/// One process.
pub(crate) struct Process {
    pub(crate) host: Host,
    pub(crate) number: u64,
    pub(crate) stop: CancellationToken,
}

impl Machines {
    /// A process is wanted; true when none runs and so one has to be started.
    pub(crate) fn want(&self, host: Host) -> bool {
        self.with(host, |machine| {
            machine.wanted = true;
            !machine.alive
        })
    }

    /// A process begins, if one is wanted.
    pub(crate) fn begin(&self, host: Host) -> Option<Process> {
        self.with(host, |machine| {
            if !machine.wanted {
                return None;
            }
            machine.processes += 1;
            (machine.alive, machine.ended) = (true, false);
            machine.stop = CancellationToken::new();
            let (number, stop) = (machine.processes, machine.stop.clone());
            Some(Process { host, number, stop })
        })
    }

    /// No process is wanted, and the present one is asked to stop.
    pub(crate) fn stop(&self, host: Host) {
        let stop = self.with(host, |machine| {
            machine.wanted = false;
            machine.stop.clone()
        });
        stop.cancel();
    }

    /// The process is dead, and no other is wanted.
    pub(crate) fn dies(&self, host: Host) {
        self.with(host, |machine| {
            (machine.wanted, machine.alive, machine.ended) = (false, false, false);
        });
    }

    /// A process ended because it was asked to.
    pub(crate) fn ended(&self, process: &Process) {
        self.with(process.host, |machine| machine.ended = machine.processes == process.number);
    }

    /// The next machine whose process ended by itself.
    pub(crate) fn take_ended(&self) -> Option<Host> {
        let mut machines = self.lock();
        let (host, machine) = machines.iter_mut().find(|(_, machine)| machine.ended)?;
        (machine.alive, machine.ended) = (false, false);
        Some(*host)
    }

    pub(crate) fn jump(&self, host: Host, seconds: i64) {
        self.with(host, |machine| machine.clock_off += seconds);
    }

    /// What the wall clock tells after so much of the simulation.
    pub(crate) fn wall(&self, host: Host, elapsed: Duration) -> Duration {
        let off = self.with(host, |machine| machine.clock_off);
        let by = Duration::from_secs(off.unsigned_abs());
        if off < 0 { EPOCH + elapsed - by } else { EPOCH + elapsed + by }
    }

    fn with<T>(&self, host: Host, look: impl FnOnce(&mut Machine) -> T) -> T {
        look(self.lock().entry(host).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Host, Machine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
