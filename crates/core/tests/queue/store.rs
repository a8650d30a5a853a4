//! What lies in the store, as plainly as can be.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use taskfleet_core::{
    TaskId, Timestamp,
    queue::{Lane, LaneRead, LaneRows, Queue},
    task::TaskRecord,
};

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) queued: BTreeMap<TaskId, TaskRecord>,
}

impl Store {
    pub(crate) fn of(tasks: Vec<TaskRecord>) -> Self {
        let queued = tasks.into_iter().map(|task| (task.id, task)).collect();
        Self { queued }
    }

    pub(crate) fn lanes(&self, after: Option<&Lane>, limit: usize) -> Vec<Lane> {
        let lanes: BTreeSet<Lane> = self.queued.values().map(Lane::of).collect();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        lanes.range((from, Bound::Unbounded)).take(limit).cloned().collect()
    }

    pub(crate) fn ready(&self, read: &LaneRead, now: Timestamp) -> LaneRows {
        let lane: Vec<&TaskRecord> =
            self.queued.values().filter(|task| Lane::of(task) == read.lane).collect();
        let fresh = lane.iter().filter(|task| {
            task.not_before.is_none() && read.from.is_none_or(|from| from <= task.id)
        });
        let mut delayed: Vec<_> =
            lane.iter().filter_map(|task| Some(((task.not_before?, task.id), *task))).collect();
        delayed.sort_by_key(|(key, _)| *key);
        let due = delayed
            .iter()
            .filter(|(key, _)| key.0 <= now && read.due_after.is_none_or(|after| after < *key));
        LaneRows {
            fresh: fresh.take(read.limit).copied().cloned().collect(),
            due: due.take(read.due_limit).map(|(_, task)| TaskRecord::clone(task)).collect(),
            next_due: delayed.iter().map(|((due, _), _)| *due).find(|due| *due > now),
        }
    }

    /// Answers one question of each kind; whether there was any.
    pub(crate) fn answer(&mut self, queue: &mut Queue, now: Timestamp) -> bool {
        let lanes = queue.wants_lanes();
        if let Some(read) = &lanes {
            queue.found(read, self.lanes(read.after.as_ref(), read.limit));
        }
        queue.wake(now);
        let reads = queue.wants_tasks();
        let rows: Vec<_> = reads.iter().map(|read| self.ready(read, now)).collect();
        let any = lanes.is_some() || !reads.is_empty();
        queue.read(reads.into_iter().zip(rows));
        any
    }

    /// Answers until nothing more is asked.
    pub(crate) fn answer_all(&mut self, queue: &mut Queue, now: Timestamp) {
        for _ in 0..10_000 {
            if !self.answer(queue, now) {
                return;
            }
        }
        panic!("the queue never stops asking");
    }
}
