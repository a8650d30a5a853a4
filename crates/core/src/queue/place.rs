//! The decision: which task goes to which worker.

use std::{collections::BTreeSet, sync::Arc};

use super::{Lane, Queue, pools::Turn};
use crate::{
    BootId, TaskId,
    placement::{Admission, Candidate, Limiter, Seat, best, reserve},
    task::{TaskRecord, TaskSpec},
};

/// A task that was taken off the queue for a worker.
#[derive(Debug)]
pub struct Placed {
    /// The task.
    pub task: TaskId,
    /// Its worker.
    pub boot_id: BootId,
    /// It must have the worker for itself.
    pub alone: bool,
    /// What it asks for, where that is at hand.
    pub spec: Option<Arc<TaskSpec>>,
    /// Where it waited.
    pub lane: Arc<Lane>,
}

impl Queue {
    /// Gives tasks, each in its turn, to the worker with the largest free share of its slots
    /// among those that can take it, until `max` are placed. One that no worker can take now
    /// is passed over, with all that wait for the same workers; if it has to run alone, the
    /// emptiest worker that it fits takes nothing else, or it would wait as long as there is
    /// other work. `seats` are left as they are then.
    pub fn place(
        &mut self,
        seats: &mut [Seat],
        limiter: &mut dyn Limiter,
        max: usize,
    ) -> Vec<Placed> {
        let mut decision = Decision {
            free: seats.iter().map(|seat| u64::from(seat.free())).sum(),
            blocked: vec![false; self.pools.all.len()],
            reserved: false,
        };
        let mut placed = Vec::new();
        let mut throttled = Vec::new();
        while decision.free > 0 && placed.len() < max {
            let Some((number, turn)) = self.first(&decision.blocked) else { break };
            let Some(seat) = self.seat_for(number, seats, &mut decision) else { continue };
            let seat = &mut seats[seat];
            if self.admit(number, seat.boot_id, limiter) == Admission::Throttled {
                let line = self.pools.all[number].take_line(&turn);
                throttled.extend(line.map(|line| (number, turn, line)));
                continue;
            }
            decision.free -= seat.take(self.pools.all[number].alone);
            placed.extend(self.serve_head(number, seat.boot_id));
        }
        for (number, (priority, _, tenant), line) in throttled {
            let place = self.turns.place(priority.0, &tenant);
            self.pools.all[number].put_line((priority, place, tenant), line);
        }
        let lanes: BTreeSet<_> = placed.iter().map(|placed| placed.lane.clone()).collect();
        for lane in lanes {
            self.settle(&lane);
        }
        placed
    }

    /// The pool whose first task comes before those of the others.
    fn first(&self, blocked: &[bool]) -> Option<(usize, Turn)> {
        let open = self.pools.all.iter().enumerate().filter(|(number, _)| !blocked[*number]);
        let heads = open.filter_map(|(number, pool)| {
            let (turn, task, _) = pool.head()?;
            Some((turn, task, number))
        });
        let (turn, _, number) = heads.min_by_key(|(turn, task, _)| (turn.0, turn.1, *task))?;
        Some((number, turn.clone()))
    }

    /// A worker for the first of this pool; `None` blocks the pool for this decision, for
    /// seats only fill.
    fn seat_for(
        &self,
        number: usize,
        seats: &mut [Seat],
        decision: &mut Decision,
    ) -> Option<usize> {
        let pool = &self.pools.all[number];
        let fits = |seat: &Seat| pool.mask.has(seat.profile);
        let best = best(seats, pool.alone, fits);
        if best.is_some() {
            return best;
        }
        if pool.alone && !decision.reserved {
            decision.free -= reserve(seats, fits);
            decision.reserved = true;
        }
        decision.blocked[number] = true;
        None
    }

    fn admit(&self, number: usize, boot_id: BootId, limiter: &mut dyn Limiter) -> Admission {
        let Some((_, task, entry)) = self.pools.all[number].head() else {
            return Admission::Throttled;
        };
        let candidate = Candidate {
            task,
            model: entry.lane.model.as_deref(),
            needs: entry.lane.demand.needs,
            size_bytes: entry.request_bytes,
            alone: entry.lane.demand.alone,
        };
        limiter.admit(&candidate, boot_id)
    }

    fn serve_head(&mut self, number: usize, boot_id: BootId) -> Option<Placed> {
        let (_, task, _) = self.pools.all[number].head()?;
        let entry = self.take(task)?;
        self.serve(&entry.lane);
        let alone = entry.lane.demand.alone;
        Some(Placed { task, boot_id, alone, spec: entry.spec, lane: entry.lane })
    }

    /// The lane's tenant had its turn.
    fn serve(&mut self, lane: &Lane) {
        let (before, now) = self.turns.serve(lane.priority, &lane.tenant);
        let before = (std::cmp::Reverse(lane.priority), before, lane.tenant.clone());
        self.pools.reorder(&before, now);
    }

    /// A worker for a task that is just being submitted: one that nothing else waits for, so
    /// that it overtakes nobody.
    pub fn seat_now(&mut self, record: &TaskRecord, seats: &[Seat]) -> Option<BootId> {
        self.wake(record.created_at);
        if self.scan.is_uncertain() {
            return None;
        }
        let model = record.model.as_deref();
        let mut mask = self.profiles.taking(model, record.needs, record.request_bytes());
        for pool in self.pools.all.iter().filter(|pool| pool.waits()) {
            mask = mask.without(&pool.mask);
        }
        let seat = best(seats, record.runs_alone(), |seat| mask.has(seat.profile))?;
        self.serve(&Lane::of(record));
        Some(seats[seat].boot_id)
    }

    /// These were not claimed after all: they lie in the store as before.
    pub fn put_back<'p>(&mut self, placed: impl IntoIterator<Item = &'p Lane>) {
        let lanes: BTreeSet<&Lane> = placed.into_iter().collect();
        for lane in lanes {
            let Some(lane) = self.enter(lane.clone()) else { continue };
            if let Some(state) = self.lanes.get_mut(&lane) {
                state.look_again();
            }
            self.settle(&lane);
        }
    }
}

/// What one decision knows.
struct Decision {
    free: u64,
    /// Pools that no worker has room for.
    blocked: Vec<bool>,
    /// A worker is kept free for a task that has to run alone: one, not all.
    reserved: bool,
}
