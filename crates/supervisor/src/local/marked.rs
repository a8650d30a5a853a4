//! Processes that carry our mark in their environment. A process id alone proves nothing: the
//! process may be another's by now, or the claim of a stranger; none is believed or signalled
//! unless the mark stands there.

use std::{fmt, fs, os::unix::ffi::OsStrExt, path::Path};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use taskfleet_proto::v1::LocalProcess;

use crate::engine::Engine;

/// The variable that marks a local worker; a setting of the worker, who tells it when it
/// registers.
const VARIABLE: &str = "TASKFLEET_WORKER__LOCAL";

/// Whose local workers: those of one store in one place. A copy of it has the same id, and a
/// supervisor on the copy may run beside the one on the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home(String);

impl Home {
    /// The home of a store's file, which exists.
    pub(crate) fn new(store_id: &str, store: &Path) -> Self {
        // A store without a file, as tests have it, is known by its name.
        let path = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
        let digest = Sha256::digest(path.as_os_str().as_bytes());
        Self(format!("{store_id}/{}", hex(&digest[..16])))
    }

    /// The number, if the mark is one of ours.
    fn number_of(&self, mark: &Mark) -> Option<u32> {
        let rest = mark.0.strip_prefix(&self.0)?.strip_prefix('/')?;
        rest.split_once('/')?.0.parse().ok()
    }
}

/// What stands in the environment of one process: home, number, and a random part, by which
/// the process proves that it is this very one. Its Debug shows no mark.
#[derive(Clone)]
pub(super) struct Mark(String);

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}

impl Mark {
    /// Of a process that is to be started.
    pub(super) fn new(home: &Home, number: u32, random: [u8; 16]) -> Self {
        Self(format!("{}/{number}/{}", home.0, hex(&random)))
    }

    /// As a variable.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Whether the process lives and carries the mark. One that has ended and has not been
    /// waited for has no environment any more.
    pub(super) fn is_on(&self, pid: u32) -> bool {
        of(pid).is_some_and(|mark| mark.0 == self.0)
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

    /// Compared in a time that tells nothing of it.
    fn is_proved_by(&self, proof: &str) -> bool {
        let random = self.0.rsplit_once('/').map_or("", |(_, random)| random);
        !random.is_empty() && bool::from(random.as_bytes().ct_eq(proof.as_bytes()))
    }
}

/// A local worker that lives.
pub(super) struct Marked {
    pub(super) number: u32,
    pub(super) pid: u32,
    pub(super) mark: Mark,
}

/// Whether the registrant is the local worker of this supervisor that it says it is.
pub(crate) fn is_local(engine: &Engine, said: &LocalProcess) -> bool {
    let ours = |mark: &Mark| engine.home.number_of(mark) == Some(said.number);
    of(said.pid).is_some_and(|mark| ours(&mark) && mark.is_proved_by(&said.proof))
}

/// The living local workers of a home. None where there is no /proc.
pub(super) fn find(home: &Home) -> Vec<Marked> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let marked = pids.filter_map(|pid: u32| {
        let mark = of(pid)?;
        Some(Marked { number: home.number_of(&mark)?, pid, mark })
    });
    marked.collect()
}

fn of(pid: u32) -> Option<Mark> {
    // Of another user's process it cannot be read, and then it is none of ours.
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables
        .find_map(|variable| variable.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    Some(Mark(String::from_utf8(value.to_vec()).ok()?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_its_home_alone() {
        let home = Home::new("store", Path::new("/nowhere/taskfleet.db"));
        let mark = Mark::new(&home, 3, [7; 16]);
        assert_eq!(home.number_of(&mark), Some(3));
        let copy = Home::new("store", Path::new("/nowhere/copy.db"));
        assert_eq!(copy.number_of(&mark), None);
        let other = Home::new("other", Path::new("/nowhere/taskfleet.db"));
        assert_eq!(other.number_of(&mark), None);
    }

    #[test]
    fn a_store_is_at_home_where_its_file_lies_whatever_leads_there() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a.db"), directory.path().join("b.db"));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(Home::new("store", &link), Home::new("store", &file));
    }

    #[test]
    fn only_the_whole_random_part_proves_a_mark() {
        let home = Home::new("store", Path::new("/nowhere/taskfleet.db"));
        let mark = Mark::new(&home, 1, [0xab; 16]);
        assert!(mark.is_proved_by(&"ab".repeat(16)));
        for wrong in ["", "ab", "1", &"ac".repeat(16)] {
            assert!(!mark.is_proved_by(wrong), "{wrong}");
        }
        assert!(!Mark(format!("{}/1/", home.0)).is_proved_by(""), "an empty one proves nothing");
    }
}
