//! The counters behind the ledger's lock.

use std::collections::HashMap;

use super::report::{Report, Tally};

/// The outcomes kept for one lease; a lease is normally called once, but all calls without a
/// header share one. Later ones are only counted.
const MAX_OUTCOMES: usize = 64;

/// Everything since the last reset.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Counts the resets: a call from before one must not touch what came after it.
    epoch: u64,
    totals: Totals,
    tasks: HashMap<Box<str>, Task>,
    /// One for each lease, so that the end of a call needs no look-up by name.
    entries: Vec<Entry>,
    prompts: HashMap<String, u32>,
}

#[derive(Debug, Default)]
struct Totals {
    calls: u64,
    open: u64,
    closed_early: u64,
}

#[derive(Debug, Default)]
struct Task {
    received: u32,
    entries: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    lease: Box<str>,
    tally: Tally,
}

impl Book {
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Books a call; tells its number in the task, from 1, and its entry.
    pub(super) fn begin(&mut self, task: &str, lease: &str) -> (u32, usize) {
        let task = match self.tasks.get_mut(task) {
            Some(known) => known,
            None => self.tasks.entry(task.into()).or_default(),
        };
        task.received = task.received.saturating_add(1);
        let index = task.entry(lease, &mut self.entries);
        let tally = &mut self.entries[index].tally;
        tally.count += 1;
        tally.open += 1;
        self.totals.calls += 1;
        self.totals.open += 1;
        (task.received, index)
    }

    pub(super) fn outcome(&mut self, epoch: u64, entry: usize, outcome: &'static str) {
        if epoch != self.epoch {
            return;
        }
        let outcomes = &mut self.entries[entry].tally.outcomes;
        if outcomes.len() < MAX_OUTCOMES {
            outcomes.push(outcome);
        }
    }

    pub(super) fn end(&mut self, epoch: u64, entry: usize, in_full: bool) {
        if epoch != self.epoch {
            return;
        }
        let tally = &mut self.entries[entry].tally;
        tally.open -= 1;
        self.totals.open -= 1;
        if !in_full {
            tally.closed_early += 1;
            self.totals.closed_early += 1;
        }
    }

    pub(super) fn nth_of_prompt(&mut self, digest: String) -> u32 {
        let count = self.prompts.entry(digest).or_default();
        *count = count.saturating_add(1);
        *count
    }

    pub(super) fn reset(&mut self) {
        *self = Self { epoch: self.epoch + 1, ..Self::default() };
    }

    pub(super) fn report(&self) -> Report {
        let calls = self.tasks.iter().flat_map(|(name, task)| self.tallies(name, task));
        Report {
            total: self.totals.calls,
            open: self.totals.open,
            closed_early: self.totals.closed_early,
            calls: calls.collect(),
        }
    }

    pub(super) fn report_task(&self, name: &str) -> Report {
        let task = self.tasks.get(name);
        Report::of(task.into_iter().flat_map(|task| self.tallies(name, task)).collect())
    }

    fn tallies<'a>(
        &'a self,
        name: &'a str,
        task: &'a Task,
    ) -> impl Iterator<Item = (String, Tally)> + 'a {
        let entries = task.entries.iter().map(|index| &self.entries[*index]);
        entries.map(move |entry| (key(name, &entry.lease), entry.tally.clone()))
    }
}

impl Task {
    /// The entry of that lease. A task has few leases: a search is cheaper than a second map.
    fn entry(&mut self, lease: &str, entries: &mut Vec<Entry>) -> usize {
        let known = self.entries.iter().copied().find(|index| *entries[*index].lease == *lease);
        known.unwrap_or_else(|| {
            entries.push(Entry { lease: lease.into(), tally: Tally::default() });
            self.entries.push(entries.len() - 1);
            entries.len() - 1
        })
    }
}

fn key(task: &str, lease: &str) -> String {
    if lease.is_empty() { task.to_owned() } else { format!("{task}.{lease}") }
}
