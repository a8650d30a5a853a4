//! Processes that carry our mark in their environment. A process id alone proves nothing: the
//! process may be another's by now, or the claim of a stranger; none is believed or signalled
//! unless the mark stands there.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::engine::Engine;

/// The variable that marks a local worker; a setting of the worker, who tells it when it
/// registers.
const VARIABLE: &str = "TASKFLEET_WORKER__LOCAL";

/// What stands in the environment of one place's worker: the store and the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn new(store_id: &str, number: u32) -> Self {
        Self(format!("{store_id}/{number}"))
    }

    /// As a variable.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Whether the process lives and carries the mark. One that has ended and has not been
    /// waited for has no environment any more.
    pub(super) fn is_on(&self, pid: u32) -> bool {
        of(pid).as_ref() == Some(self)
    }

    /// Signals the process if it carries the mark.
    pub(super) fn signal(&self, pid: u32, signal: Signal) {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
        // Between the look and the signal its number would have to be given away.
        if self.is_on(pid) {
            // It may end this moment.
            let _ = kill_process(raw, signal);
        }
    }
}

/// Whether the process `pid` is the local worker `number` of this supervisor's store.
pub(crate) fn is_local(engine: &Engine, number: u32, pid: u32) -> bool {
    Mark::new(&engine.caller.store_id, number).is_on(pid)
}

/// The living local workers of a store: (number, process id). None where there is no /proc.
pub(super) fn find(store_id: &str) -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| Some((number_of(&of(pid)?, store_id)?, pid))).collect()
}

fn number_of(mark: &Mark, store_id: &str) -> Option<u32> {
    mark.0.strip_prefix(store_id)?.strip_prefix('/')?.parse().ok()
}

fn of(pid: u32) -> Option<Mark> {
    // Of another user's process it cannot be read, and then it is none of ours.
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables
        .find_map(|variable| variable.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    Some(Mark(String::from_utf8(value.to_vec()).ok()?))
}
