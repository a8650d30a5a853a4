//! Which tasks there are and which of them have ended: some forty bytes a task, so that a
//! file of a million lines fits.

use sha2::{Digest, Sha256};

use super::run::Key;
use crate::words::grouped;

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not ended, as far as is known here.
    Open,
    /// Its result is there.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Left out: its line is wrong.
    Skipped,
}

type Short = [u8; 16];

#[derive(Debug)]
struct Entry {
    id: Short,
    key: Key,
    line: u32,
    standing: Standing,
}

/// How many tasks stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) open: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) skipped: u64,
}

impl Counts {
    /// How many have ended.
    pub(super) fn ended(&self) -> u64 {
        self.completed + self.failed + self.cancelled
    }

    /// "3 failed, 1 cancelled"; the second only where there are any.
    pub(super) fn not_completed(&self) -> String {
        let cancelled = match self.cancelled {
            0 => String::new(),
            cancelled => format!(", {} cancelled", grouped(cancelled)),
        };
        format!("{} failed{cancelled}", grouped(self.failed))
    }
}

/// The tasks of one input.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By id.
    entries: Vec<Entry>,
    counts: Counts,
    last_line: u32,
}

/// A line with the id of an earlier one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twice {
    pub(super) line: u32,
    pub(super) first: u32,
}

impl Ledger {
    /// Adds the task of a line, to be used after [`Ledger::sort`].
    pub(super) fn add(&mut self, id: &str, key: Key, line: u32) {
        self.entries.push(Entry { id: short(id), key, line, standing: Standing::Open });
    }

    /// Notes that the input had this line; those after it came later.
    pub(super) fn saw(&mut self, line: u32) {
        self.last_line = line;
    }

    /// The last line of the input when it was checked.
    pub(super) fn last_line(&self) -> u32 {
        self.last_line
    }

    /// Sorts the entries; of those with one id the first stays.
    pub(super) fn sort(&mut self) -> Vec<Twice> {
        self.entries.sort_unstable_by_key(|entry| (entry.id, entry.line));
        let mut twice = Vec::new();
        self.entries.dedup_by(|later, first| {
            let same = later.id == first.id;
            if same {
                twice.push(Twice { line: later.line, first: first.line });
            }
            same
        });
        self.counts = Counts { open: self.entries.len() as u64, ..Counts::default() };
        twice
    }

    /// How many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many tasks stand how.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The line and the standing of the task with this id.
    pub(super) fn find(&self, id: &str) -> Option<(u32, Standing)> {
        let entry = &self.entries[self.index(id)?];
        Some((entry.line, entry.standing))
    }

    /// The key of the task with this id.
    pub(super) fn key(&self, id: &str) -> Option<Key> {
        Some(self.entries[self.index(id)?].key)
    }

    /// The last line whose task has ended; 0: none has. Lines are submitted in their order, so an
    /// earlier run must have submitted those before it.
    pub(super) fn reached(&self) -> u32 {
        let ended = |entry: &&Entry| {
            matches!(entry.standing, Standing::Completed | Standing::Failed | Standing::Cancelled)
        };
        self.entries.iter().filter(ended).map(|entry| entry.line).max().unwrap_or(0)
    }

    /// Notes how an open task stands from now on; false for one that is not open.
    pub(super) fn set(&mut self, id: &str, standing: Standing) -> bool {
        let Some(index) = self.index(id) else { return false };
        let entry = &mut self.entries[index];
        if entry.standing != Standing::Open {
            return false;
        }
        entry.standing = standing;
        self.counts.open -= 1;
        match standing {
            Standing::Open => self.counts.open += 1,
            Standing::Completed => self.counts.completed += 1,
            Standing::Failed => self.counts.failed += 1,
            Standing::Cancelled => self.counts.cancelled += 1,
            Standing::Skipped => self.counts.skipped += 1,
        }
        true
    }

    fn index(&self, id: &str) -> Option<usize> {
        let id = short(id);
        self.entries.binary_search_by(|entry| entry.id.cmp(&id)).ok()
    }
}

fn short(text: &str) -> Short {
    let mut short = Short::default();
    short.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Key {
        Key::parse(&format!("{number:032x}")).unwrap()
    }

    #[test]
    fn the_first_of_two_lines_with_one_id_stays() {
        let mut ledger = Ledger::default();
        for (line, id) in [(1, "a"), (2, "b"), (4, "a"), (7, "a")] {
            ledger.add(id, key(line), line.into());
        }
        let twice = ledger.sort();
        assert_eq!(twice, [Twice { line: 4, first: 1 }, Twice { line: 7, first: 1 }]);
        assert_eq!(ledger.find("a"), Some((1, Standing::Open)));
        assert_eq!((ledger.key("b"), ledger.key("c")), (Some(key(2)), None));
        assert_eq!(ledger.counts().open, 2);
    }

    #[test]
    fn a_task_ends_once() {
        let mut ledger = Ledger::default();
        ledger.add("a", key(1), 1);
        ledger.sort();
        assert!(!ledger.set("unknown", Standing::Completed));
        assert!(ledger.set("a", Standing::Failed));
        assert!(!ledger.set("a", Standing::Completed));
        assert_eq!(ledger.counts(), Counts { failed: 1, ..Counts::default() });
    }
}
