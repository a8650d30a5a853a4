//! What waits, in the order in which it is to run: priority first, then tenants in turns,
//! then age.
//!
//! The queue is a bounded cache of the store. It holds *lanes*, each with the oldest of its
//! tasks and a mark that more lie in the store; a lane that runs low asks to be read
//! ([`Queue::wants_tasks`]). Lanes that no worker would run at any size are not held at all,
//! so that however many such tasks there are, they cost nobody else anything: when the
//! workers change, the store is asked anew which lanes there are ([`Queue::wants_lanes`]).
//!
//! A backoff is waited for in the store too: the queue knows only when the next one of each
//! lane is over.

mod lane;
mod place;
mod pools;
mod turns;
mod window;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

pub use lane::{Lane, LaneRead, LaneRows};
pub use place::Placed;
pub use window::LanesRead;

use crate::{
    TaskId, Timestamp,
    placement::Profile,
    task::{TaskRecord, TaskSpec},
};
use lane::LaneState;
use pools::{Pools, Profiles, Turn};
use turns::Turns;
use window::Scan;

/// How much a queue holds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Tasks, about: shared evenly by the lanes, at least one for each.
    pub tasks: usize,
    /// Lanes. When there are more, they come by in turns.
    pub lanes: usize,
    /// Tasks of one lane.
    pub lane: usize,
    /// Bytes of content kept beside the tasks.
    pub content_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { tasks: 20_000, lanes: 20_000, lane: 2_048, content_bytes: 64 << 20 }
    }
}

/// What waits; see the [module](self).
#[derive(Debug, Default)]
pub struct Queue {
    bounds: Bounds,
    profiles: Profiles,
    pools: Pools,
    lanes: BTreeMap<Arc<Lane>, LaneState>,
    spots: HashMap<TaskId, Spot>,
    turns: Turns,
    /// Lanes that are to be read.
    hungry: BTreeSet<Arc<Lane>>,
    /// When a backoff of each lane is over.
    dues: BTreeSet<(Timestamp, Arc<Lane>)>,
    /// Tasks too large for every worker that could run them, and since when that is known.
    stuck: BTreeMap<TaskId, Option<Timestamp>>,
    scan: Scan,
    cached_bytes: u64,
}

/// Where a task stands.
#[derive(Debug)]
struct Spot {
    pool: usize,
    lane: Arc<Lane>,
}

/// A task that is held.
#[derive(Debug)]
struct Entry {
    lane: Arc<Lane>,
    request_bytes: u64,
    size_bytes: u64,
    spec: Option<Arc<TaskSpec>>,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// These are the workers that there are, whether they have room or not; seats name
    /// their profiles by their place here.
    pub fn workers(&mut self, profiles: Vec<Profile>) {
        if self.profiles.0 == profiles {
            return;
        }
        self.profiles = Profiles(profiles);
        let entries: Vec<_> = std::mem::take(&mut self.pools).into_entries().collect();
        self.keep_served_lanes();
        for (task, entry) in entries {
            self.move_over(task, entry);
        }
        for lane in self.lanes.keys().cloned().collect::<Vec<_>>() {
            self.settle(&lane);
        }
        self.scan.restart();
    }

    fn keep_served_lanes(&mut self) {
        let Self { profiles, pools, lanes, hungry, dues, .. } = self;
        lanes.retain(|lane, _| profiles.largest(lane).is_some());
        hungry.retain(|lane| lanes.contains_key(lane));
        dues.retain(|(_, lane)| lanes.contains_key(lane));
        for (lane, state) in lanes {
            state.pool = pools.enter(profiles.of_lane(lane), lane.demand.alone);
            state.counted = false;
        }
    }

    /// To its pool among the workers that there are now.
    fn move_over(&mut self, task: TaskId, entry: Entry) {
        let lane = &entry.lane;
        if !self.lanes.contains_key(lane) {
            self.spots.remove(&task);
            self.stuck.remove(&task);
            self.turns.leave(lane.priority, &lane.tenant);
            self.uncache(&entry);
            return;
        }
        let turn = self.turn(lane);
        let pool = self.pool_of(lane, entry.request_bytes);
        if let Some(spot) = self.spots.get_mut(&task) {
            spot.pool = pool;
        }
        self.note_size(task, pool);
        self.pools.all[pool].insert(turn, task, entry);
    }

    /// A task is queued, in the store.
    pub fn add(&mut self, record: &TaskRecord, spec: Option<Arc<TaskSpec>>) {
        self.remove(record.id);
        let Some(lane) = self.enter(Lane::of(record)) else { return };
        let (room, share) = (self.spots.len() < 2 * self.bounds.tasks, self.share());
        let Some(state) = self.lanes.get_mut(&lane) else { return };
        if let Some(until) = record.not_before {
            state.delay(until, record.id);
        } else if state.takes(record.id, room, share) {
            state.from = state.from.max(Some(record.id));
            self.insert(&lane, record, spec);
        } else {
            state.leave(record.id);
        }
        self.settle(&lane);
    }

    /// A task does not wait any more.
    pub fn remove(&mut self, task: TaskId) {
        if let Some(entry) = self.take(task) {
            self.settle(&entry.lane);
        }
    }

    /// Whether the task is the next one for some workers.
    #[must_use]
    pub fn is_next(&self, task: TaskId) -> bool {
        let head = |pool: &pools::Pool| pool.head().map(|(_, first, _)| first);
        self.pools.all.iter().any(|pool| head(pool) == Some(task))
    }

    /// How many tasks are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spots.len()
    }

    /// Whether no task is held; some may wait in the store all the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }

    /// Tasks that have been too large for `patience` for every worker that could run them,
    /// with the largest request that one of those takes.
    pub fn too_large(
        &mut self,
        now: Timestamp,
        patience: std::time::Duration,
    ) -> Vec<(TaskId, u64)> {
        let Self { stuck, spots, profiles, .. } = self;
        let mut found = Vec::new();
        for (task, since) in stuck {
            let since = *since.get_or_insert(now);
            let largest = spots.get(task).and_then(|spot| profiles.largest(&spot.lane));
            if let Some(largest) = largest.filter(|_| now.since(since) >= patience) {
                found.push((*task, largest));
            }
        }
        found
    }

    /// The lane, held from now on; `None` when nobody would run its tasks, or when there are
    /// too many.
    fn enter(&mut self, lane: Lane) -> Option<Arc<Lane>> {
        if let Some((known, _)) = self.lanes.get_key_value(&lane) {
            return Some(known.clone());
        }
        self.profiles.largest(&lane)?;
        if self.lanes.len() >= self.bounds.lanes && !self.evict_below(lane.priority) {
            self.scan.hide(lane.priority);
            return None;
        }
        let pool = self.pools.enter(self.profiles.of_lane(&lane), lane.demand.alone);
        // What lies in the store of a lane that is not held is known only when every lane
        // was asked for.
        let more = self.scan.is_uncertain();
        let lane = Arc::new(lane);
        self.lanes.insert(lane.clone(), LaneState { pool, more, ..LaneState::default() });
        Some(lane)
    }

    /// Makes room for a lane of higher priority.
    fn evict_below(&mut self, priority: i32) -> bool {
        let last = self.lanes.last_key_value().map(|(lane, _)| lane.clone());
        let Some(last) = last.filter(|last| last.priority < priority) else { return false };
        let turn = self.turn(&last);
        let lines = self.pools.all.iter().filter_map(|pool| pool.line(&turn));
        let its = lines.flatten().filter(|(_, entry)| entry.lane == last);
        for task in its.map(|(task, _)| *task).collect::<Vec<_>>() {
            self.take(task);
        }
        self.forget(&last);
        self.scan.hide(last.priority);
        true
    }

    fn insert(&mut self, lane: &Arc<Lane>, record: &TaskRecord, spec: Option<Arc<TaskSpec>>) {
        if self.spots.contains_key(&record.id) {
            return;
        }
        let spec =
            spec.filter(|_| self.cached_bytes + record.size_bytes <= self.bounds.content_bytes);
        self.cached_bytes += if spec.is_some() { record.size_bytes } else { 0 };
        let request_bytes = record.request_bytes();
        let place = self.turns.wait(lane.priority, &lane.tenant);
        let pool = self.pool_of(lane, request_bytes);
        self.note_size(record.id, pool);
        let turn = (Reverse(lane.priority), place, lane.tenant.clone());
        let size_bytes = record.size_bytes;
        let entry = Entry { lane: lane.clone(), request_bytes, size_bytes, spec };
        self.pools.all[pool].insert(turn, record.id, entry);
        self.spots.insert(record.id, Spot { pool, lane: lane.clone() });
        if let Some(state) = self.lanes.get_mut(lane) {
            state.held += 1;
        }
    }

    fn take(&mut self, task: TaskId) -> Option<Entry> {
        let Spot { pool, lane } = self.spots.remove(&task)?;
        let turn = self.turn(&lane);
        let entry = self.pools.all[pool].remove(&turn, task)?;
        self.turns.leave(lane.priority, &lane.tenant);
        self.stuck.remove(&task);
        self.uncache(&entry);
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.held -= 1;
        }
        Some(entry)
    }

    fn uncache(&mut self, entry: &Entry) {
        if entry.spec.is_some() {
            self.cached_bytes -= entry.size_bytes;
        }
    }

    fn pool_of(&mut self, lane: &Lane, request_bytes: u64) -> usize {
        let taking = self.profiles.taking(lane.model.as_deref(), lane.demand.needs, request_bytes);
        self.pools.enter(taking, lane.demand.alone)
    }

    fn note_size(&mut self, task: TaskId, pool: usize) {
        if self.pools.all[pool].mask.is_empty() {
            self.stuck.entry(task).or_default();
        } else {
            self.stuck.remove(&task);
        }
    }

    fn turn(&self, lane: &Lane) -> Turn {
        let place = self.turns.place(lane.priority, &lane.tenant);
        (Reverse(lane.priority), place, lane.tenant.clone())
    }
}
