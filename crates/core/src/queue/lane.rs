//! Lanes: tasks that wait together.

use std::{cmp::Ordering, sync::Arc};

use crate::{TaskId, Timestamp, demand::Demand, task::TaskRecord};

/// Tasks of one tenant with one priority, model and demand: whichever worker can take one of
/// them can take the next, but for its exact size. So one lane never stands before another.
///
/// Lanes are ordered as the store keeps them: higher priorities first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lane {
    /// -100 (last) to 100 (first).
    pub priority: i32,
    /// Empty is one of them.
    pub tenant: Arc<str>,
    /// None: any worker's own.
    pub model: Option<Arc<str>>,
    /// What else decides which workers can take them.
    pub demand: Demand,
}

impl Lane {
    /// The lane of a task.
    #[must_use]
    pub fn of(record: &TaskRecord) -> Self {
        Self {
            priority: record.priority,
            tenant: record.tenant.as_str().into(),
            model: record.model.as_deref().map(Into::into),
            demand: record.demand(),
        }
    }
}

impl Ord for Lane {
    fn cmp(&self, other: &Self) -> Ordering {
        let rest = |lane: &Self| lane.demand.code();
        (other.priority.cmp(&self.priority))
            .then_with(|| self.tenant.cmp(&other.tenant))
            .then_with(|| self.model.cmp(&other.model))
            .then_with(|| rest(self).cmp(&rest(other)))
    }
}

impl PartialOrd for Lane {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is to be read of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRead {
    /// Which.
    pub lane: Lane,
    /// Of tasks that never waited for a backoff: those from this one on.
    pub from: Option<TaskId>,
    /// So many of them at most.
    pub limit: usize,
    /// Of tasks whose backoff is over: those after this one, by the end of the backoff.
    pub due_after: Option<(Timestamp, TaskId)>,
    /// So many of them at most.
    pub due_limit: usize,
}

/// What lies in the store of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneRows {
    /// Tasks without a backoff, oldest first.
    pub fresh: Vec<TaskRecord>,
    /// Tasks whose backoff is over, by its end, then by age.
    pub due: Vec<TaskRecord>,
    /// When the next backoff is over.
    pub next_due: Option<Timestamp>,
}

/// What of a lane is held, and what is known to lie in the store only.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// The pool of the workers that its tasks may fit.
    pub(super) pool: usize,
    /// Tasks that are held.
    pub(super) held: usize,
    /// Tasks without a backoff lie in the store that are not held, from `from` on.
    pub(super) more: bool,
    /// Everything before it is held, or was.
    pub(super) from: Option<TaskId>,
    /// Backoffs are over: their tasks have to be fetched, those after `due_after`.
    pub(super) overdue: bool,
    pub(super) due_after: Option<(Timestamp, TaskId)>,
    /// When the next backoff that is known is over.
    pub(super) due: Option<Timestamp>,
    /// The store is being read. What is queued meanwhile may or may not be in the answer.
    pub(super) reading: bool,
    /// The oldest of what was queued meanwhile.
    pub(super) left: Option<TaskId>,
    /// A backoff began meanwhile.
    pub(super) due_left: bool,
    /// It was read at least once.
    pub(super) visited: bool,
    /// When it stands in the order of the backoffs.
    pub(super) timed: Option<Timestamp>,
    /// It stands in its pool's count of lanes that are not wholly held.
    pub(super) counted: bool,
}

impl LaneState {
    /// Some of it may lie in the store only.
    pub(super) const fn is_partial(&self) -> bool {
        self.more || self.overdue || self.reading
    }

    /// Whether it holds so little of its share that more should be read.
    pub(super) const fn is_low(&self, share: usize) -> bool {
        self.held <= share / 2
    }

    /// Whether a task that is queued is to be held: never one before those that lie in the
    /// store, and not while an answer is under way that may hold older ones.
    pub(super) fn takes(&self, task: TaskId, room: bool, share: usize) -> bool {
        let in_order = !self.more || self.from.is_some_and(|from| task < from);
        !self.reading && in_order && (self.held == 0 || (room && self.held < share))
    }

    /// Nothing of it waits, as far as is known.
    pub(super) const fn is_void(&self) -> bool {
        self.held == 0 && !self.is_partial() && self.due.is_none()
    }

    /// What it knew of the store no longer holds: it is read from its beginning.
    pub(super) const fn look_again(&mut self) {
        self.more = true;
        self.from = None;
        self.due_after = None;
        self.overdue = true;
    }

    /// It is about to be read; with `fresh`, also its tasks without a backoff.
    pub(super) const fn begin_reading(&mut self, fresh: bool) {
        self.reading = true;
        self.more &= !fresh;
        self.overdue = false;
        self.left = None;
        self.due_left = false;
    }

    /// A task without a backoff was queued and is left to the store.
    pub(super) fn leave(&mut self, task: TaskId) {
        if self.reading {
            self.left = Some(self.left.map_or(task, |left| left.min(task)));
        } else {
            self.more = true;
            self.from = self.from.map(|from| from.min(task));
        }
    }

    /// A task's backoff began.
    pub(super) fn delay(&mut self, until: Timestamp, task: TaskId) {
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
        self.due_left |= self.reading;
        if self.due_after.is_some_and(|after| (until, task) <= after) {
            self.due_after = None;
        }
    }

    /// It was read.
    pub(super) fn end_reading(&mut self, read: &LaneRead, rows: &LaneRows) {
        self.reading = false;
        self.visited = true;
        self.more |= read.limit > 0 && rows.fresh.len() >= read.limit;
        self.from = rows.fresh.last().map(|record| record.id).or(self.from);
        if let Some(left) = self.left.take() {
            self.more = true;
            self.from = self.from.map(|from| from.min(left));
        }
        self.overdue |= rows.due.len() >= read.due_limit;
        let last = rows.due.last().and_then(|record| Some((record.not_before?, record.id)));
        self.due_after = last.or(self.due_after).filter(|_| !self.due_left);
        self.due = [self.due, rows.next_due].into_iter().flatten().min();
    }
}
