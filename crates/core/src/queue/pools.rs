//! Pools: what waits for the same workers.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Entry, lane::Lane};
use crate::{TaskId, demand::Features, placement::Profile};

/// Some of the profiles, a bit each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Mask(Vec<u64>);

impl Mask {
    pub(super) fn has(&self, profile: usize) -> bool {
        self.0.get(profile / 64).is_some_and(|bits| bits >> (profile % 64) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    pub(super) fn without(mut self, others: &Self) -> Self {
        for (bits, others) in self.0.iter_mut().zip(&others.0) {
            *bits &= !others;
        }
        self
    }
}

/// The profiles of the workers that are there.
#[derive(Debug, Default)]
pub(super) struct Profiles(pub(super) Vec<Profile>);

impl Profiles {
    fn mask(&self, fits: impl Fn(&Profile) -> bool) -> Mask {
        let mut mask = vec![0; self.0.len().div_ceil(64)];
        for (n, _) in self.0.iter().enumerate().filter(|(_, profile)| fits(profile)) {
            mask[n / 64] |= 1 << (n % 64);
        }
        Mask(mask)
    }

    /// Those that take such a task.
    pub(super) fn taking(&self, model: Option<&str>, needs: Features, bytes: u64) -> Mask {
        self.mask(|known| known.suits(model, needs) && bytes <= known.max_request_bytes)
    }

    /// Those that may take tasks of a lane; none, if a task of it is surely too large.
    pub(super) fn of_lane(&self, lane: &Lane) -> Mask {
        let Lane { model, demand, .. } = lane;
        let fits = |known: &Profile| known.suits(model.as_deref(), demand.needs);
        self.mask(|known| fits(known) && demand.size.above() < known.max_request_bytes)
    }

    /// The largest request that such a task may have; none: nobody would run it at any size.
    pub(super) fn largest(&self, lane: &Lane) -> Option<u64> {
        let fits = |known: &&Profile| known.suits(lane.model.as_deref(), lane.demand.needs);
        self.0.iter().filter(fits).map(|known| known.max_request_bytes).max()
    }
}

/// One tenant's turn at one priority; the least comes first.
pub(super) type Turn = (Reverse<i32>, u64, Arc<str>);

/// Tasks that the same workers can take, so that one that none of them has room for says the
/// same of all.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) mask: Mask,
    pub(super) alone: bool,
    lines: BTreeMap<Turn, BTreeMap<TaskId, Entry>>,
    /// Lanes of it that may have more in the store.
    pub(super) partial: usize,
}

impl Pool {
    pub(super) fn insert(&mut self, turn: Turn, task: TaskId, entry: Entry) {
        self.lines.entry(turn).or_default().insert(task, entry);
    }

    pub(super) fn remove(&mut self, turn: &Turn, task: TaskId) -> Option<Entry> {
        let line = self.lines.get_mut(turn)?;
        let entry = line.remove(&task);
        if line.is_empty() {
            self.lines.remove(turn);
        }
        entry
    }

    /// The first task, and whose turn it is.
    pub(super) fn head(&self) -> Option<(&Turn, TaskId, &Entry)> {
        let (turn, line) = self.lines.first_key_value()?;
        let (task, entry) = line.first_key_value()?;
        Some((turn, *task, entry))
    }

    pub(super) fn line(&self, turn: &Turn) -> Option<&BTreeMap<TaskId, Entry>> {
        self.lines.get(turn)
    }

    /// Something of it waits, here or in the store.
    pub(super) fn waits(&self) -> bool {
        self.partial > 0 || !self.lines.is_empty()
    }

    /// Takes one tenant's tasks out, to be put back.
    pub(super) fn take_line(&mut self, turn: &Turn) -> Option<BTreeMap<TaskId, Entry>> {
        self.lines.remove(turn)
    }

    pub(super) fn put_line(&mut self, turn: Turn, line: BTreeMap<TaskId, Entry>) {
        self.lines.insert(turn, line);
    }

    fn into_entries(self) -> impl Iterator<Item = (TaskId, Entry)> {
        self.lines.into_values().flatten()
    }
}

/// Every pool that something waits in, or did since the workers last changed.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    index: HashMap<(Mask, bool), usize>,
}

impl Pools {
    /// The pool of these workers.
    pub(super) fn enter(&mut self, mask: Mask, alone: bool) -> usize {
        let next = self.all.len();
        let number = *self.index.entry((mask.clone(), alone)).or_insert(next);
        if number == next {
            self.all.push(Pool { mask, alone, lines: BTreeMap::new(), partial: 0 });
        }
        number
    }

    /// A tenant was served: its place is another one in every pool.
    pub(super) fn reorder(&mut self, before: &Turn, now: u64) {
        for pool in &mut self.all {
            if let Some(line) = pool.take_line(before) {
                pool.put_line((before.0, now, before.2.clone()), line);
            }
        }
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (TaskId, Entry)> {
        self.all.into_iter().flat_map(Pool::into_entries)
    }
}
