//! The queue as a cache of the store: what is to be read, and what was.

use std::{ops::Bound, sync::Arc};

use super::{
    Queue,
    lane::{Lane, LaneRead, LaneRows},
};
use crate::Timestamp;

/// Lanes in one read of tasks, and tasks, about.
const READ_LANES: usize = 256;
const READ_TASKS: usize = 4_096;
/// Tasks of one lane whose backoff is over, in one read.
const READ_DUE: usize = 256;
/// Lanes in one read of lanes.
const PAGE: usize = 512;
/// Lanes whose tasks are compared with the store at a time.
const RECHECK: usize = 500;

/// A read of the lanes that there are in the store.
#[derive(Debug, Clone)]
pub struct LanesRead {
    /// Those after this one.
    pub after: Option<Lane>,
    /// So many at most.
    pub limit: usize,
    pass: u64,
}

/// The way through the lanes of the store.
#[derive(Debug, Default)]
pub(super) struct Scan {
    after: Option<Lane>,
    running: bool,
    /// Lanes may lie in the store that nobody knows of: not only a comparison.
    urgent: bool,
    /// Of a comparison, pages that may be read now.
    pages: usize,
    /// The highest priority of lanes that were left out or let go since.
    hidden: Option<i32>,
    pass: u64,
    rechecked: Option<Arc<Lane>>,
}

impl Scan {
    pub(super) fn restart(&mut self) {
        self.begin();
        self.urgent = true;
        self.hidden = None;
    }

    fn begin(&mut self) {
        self.running = true;
        self.urgent = false;
        self.after = None;
        self.pass += 1;
    }

    pub(super) fn hide(&mut self, priority: i32) {
        self.hidden = self.hidden.max(Some(priority));
    }

    /// Whether lanes may wait in the store that are not held though workers serve them.
    pub(super) const fn is_uncertain(&self) -> bool {
        (self.running && self.urgent) || self.hidden.is_some()
    }
}

impl Queue {
    /// Backoffs that are over at `now`: their tasks are to be fetched.
    pub fn wake(&mut self, now: Timestamp) {
        while let Some((due, lane)) = self.dues.first().cloned() {
            if due > now {
                break;
            }
            if let Some(state) = self.lanes.get_mut(&lane) {
                state.overdue = true;
                state.due = None;
            }
            self.settle(&lane);
        }
    }

    /// When the next backoff is over.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Compares a part of what is held with the store, another one each time: what was
    /// missed is found.
    pub fn recheck(&mut self) {
        let from = self.scan.rechecked.take().map_or(Bound::Unbounded, Bound::Excluded);
        let lanes: Vec<_> = self
            .lanes
            .range((from, Bound::Unbounded))
            .take(RECHECK)
            .map(|(lane, _)| lane)
            .cloned()
            .collect();
        self.scan.rechecked = lanes.last().cloned();
        for lane in lanes {
            if let Some(state) = self.lanes.get_mut(&lane) {
                state.look_again();
            }
            self.settle(&lane);
        }
        if !self.scan.running {
            self.scan.begin();
        }
        self.scan.pages = 1;
    }

    /// Lanes that are to be read from the store, in its order.
    pub fn wants_lanes(&mut self) -> Option<LanesRead> {
        let searching = self.scan.running && self.scan.urgent;
        let has_room = self.lanes.len() <= self.bounds.lanes / 2;
        if self.scan.hidden.is_some() && !searching && has_room {
            self.scan.restart();
        }
        let room = self.bounds.lanes.saturating_sub(self.lanes.len());
        if !self.scan.running || room == 0 {
            return None;
        }
        if !self.scan.urgent {
            self.scan.pages = self.scan.pages.checked_sub(1)?;
        }
        let limit = room.min(PAGE);
        Some(LanesRead { after: self.scan.after.clone(), limit, pass: self.scan.pass })
    }

    /// The lanes that were read.
    pub fn found(&mut self, read: &LanesRead, lanes: Vec<Lane>) {
        if read.pass != self.scan.pass {
            return;
        }
        let whole = lanes.len() < read.limit;
        for lane in lanes {
            // All lanes of a priority have their turn before those of a lower one.
            if self.scan.hidden.is_some_and(|hidden| lane.priority < hidden) {
                self.scan.restart();
                return;
            }
            self.scan.after = Some(lane.clone());
            self.discover(lane);
        }
        if whole && self.scan.hidden.is_some() {
            self.scan.restart();
        } else if whole {
            self.scan.running = false;
        }
    }

    fn discover(&mut self, lane: Lane) {
        if self.lanes.contains_key(&lane) {
            return;
        }
        let Some(lane) = self.enter(lane) else { return };
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.more = true;
        }
        self.settle(&lane);
    }

    /// Lanes that run low, or of which a backoff is over. Each has to be answered with
    /// [`Queue::read`] or [`Queue::not_read`].
    pub fn wants_tasks(&mut self) -> Vec<LaneRead> {
        let share = self.share();
        let mut reads = Vec::new();
        let mut tasks = 0;
        while tasks < READ_TASKS && reads.len() < READ_LANES {
            let Some(lane) = self.hungry.pop_first() else { break };
            let Some(state) = self.lanes.get_mut(&lane) else { continue };
            let low = state.more && state.is_low(share);
            let (from, due_after) = (state.from, state.due_after);
            // The first one may be known already: it must not be the only one.
            let known = usize::from(from.is_some() || state.held > 0);
            let limit = if low { share - state.held + known } else { 0 };
            let due_limit = share.min(READ_DUE);
            reads.push(LaneRead { lane: Lane::clone(&lane), from, limit, due_after, due_limit });
            tasks += limit + due_limit;
            state.begin_reading(low);
            self.settle(&lane);
        }
        reads
    }

    /// What was read.
    pub fn read(&mut self, answers: impl IntoIterator<Item = (LaneRead, LaneRows)>) {
        for (read, rows) in answers {
            let Some((lane, _)) = self.lanes.get_key_value(&read.lane) else { continue };
            let lane = lane.clone();
            let state = self.lanes.get_mut(&lane).filter(|state| state.reading);
            let Some(state) = state else { continue };
            state.end_reading(&read, &rows);
            for record in rows.fresh.iter().chain(&rows.due) {
                self.insert(&lane, record, None);
            }
            self.settle(&lane);
        }
    }

    /// The store could not be read.
    pub fn not_read(&mut self, reads: &[LaneRead]) {
        for read in reads {
            let Some((lane, _)) = self.lanes.get_key_value(&read.lane) else { continue };
            let lane = lane.clone();
            if let Some(state) = self.lanes.get_mut(&lane) {
                state.reading = false;
                state.look_again();
            }
            self.settle(&lane);
        }
    }

    /// Tasks of one lane that are held.
    pub(super) fn share(&self) -> usize {
        (self.bounds.tasks / self.lanes.len().max(1)).clamp(1, self.bounds.lane)
    }

    /// There are more lanes than can be held.
    fn overflows(&self) -> bool {
        let full = self.lanes.len() >= self.bounds.lanes;
        self.scan.hidden.is_some() || (self.scan.running && full)
    }

    /// A lane has changed: whether it is to be read, when next, and whether it is still held.
    pub(super) fn settle(&mut self, lane: &Arc<Lane>) {
        let (overflows, share) = (self.overflows(), self.share());
        let Some(state) = self.lanes.get_mut(lane) else { return };
        if state.is_void() {
            return self.forget(lane);
        }
        // It had its part: others that are not held come first.
        if overflows && state.visited && state.held == 0 && state.more && !state.reading {
            self.scan.hide(lane.priority);
            return self.forget(lane);
        }
        if state.counted != state.is_partial() {
            state.counted = !state.counted;
            let partial = &mut self.pools.all[state.pool].partial;
            *partial = if state.counted { *partial + 1 } else { *partial - 1 };
        }
        if state.timed != state.due {
            let before = std::mem::replace(&mut state.timed, state.due);
            before.map(|due| self.dues.remove(&(due, lane.clone())));
            state.due.map(|due| self.dues.insert((due, lane.clone())));
        }
        let more = state.more && !(overflows && state.visited);
        // What is due is held within the lane's share too: a million backoffs may end at once.
        if !state.reading && (state.overdue || more) && state.is_low(share) {
            self.hungry.insert(lane.clone());
        } else {
            self.hungry.remove(lane);
        }
    }

    /// The lane is not held any more.
    pub(super) fn forget(&mut self, lane: &Arc<Lane>) {
        let Some(state) = self.lanes.remove(lane) else { return };
        if state.counted {
            self.pools.all[state.pool].partial -= 1;
        }
        if let Some(due) = state.timed {
            self.dues.remove(&(due, lane.clone()));
        }
        self.hungry.remove(lane);
    }
}
