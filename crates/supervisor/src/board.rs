//! What waits and who has room: the memory on which work is placed.
//!
//! The board is a cache. The rules, and what of the store it holds, are the
//! [`Queue`]'s; here are the workers' seats, the slots taken on them, and who is woken.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use taskfleet_core::{
    BootId, TaskId, Timestamp,
    placement::{Candidate, Known, Obstacle, Profile, Seat, Unlimited, obstacle},
    queue::{Lane, LaneRead, LaneRows, LanesRead, Placed, Queue},
    task::{Holder, TaskRecord, TaskSpec},
};
use tokio::sync::Notify;

/// Shared by the intake, the dispatcher and the fleet. Clones share the board.
#[derive(Clone, Default)]
pub(crate) struct Board {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    queue: Queue,
    seats: HashMap<BootId, SeatState>,
    /// Workers came, went or changed what they can take; the queue has not been told.
    workers_changed: bool,
    /// Counts decisions: of equally free workers another comes first each time.
    decisions: u64,
}

struct SeatState {
    offer: Offer,
    /// Which of the queue's profiles it has; none while it has no slots.
    profile: Option<usize>,
    in_use: u32,
    alone: bool,
    /// Tells this seat from an earlier one of the same worker.
    number: u64,
}

/// What a worker offers.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) holder: Holder,
    /// None: it gets nothing, and nobody waits for it.
    pub(crate) slots: u32,
    /// What it can take. Without any feature it gets plain prompts only.
    pub(crate) profile: Profile,
    /// Whether it takes new work.
    pub(crate) open: bool,
}

/// A task that is to go to a worker, with the slot that was taken for it.
pub(crate) struct Assignment {
    pub(crate) task: TaskId,
    pub(crate) slot: Slot,
    pub(crate) spec: Option<Arc<TaskSpec>>,
    pub(crate) lane: Arc<Lane>,
}

/// A slot of a worker, taken; dropping it gives it back.
pub(crate) struct Slot {
    board: Board,
    pub(crate) holder: Holder,
    alone: bool,
    /// Of the seat that it was taken on.
    seat: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.board.lock();
        let seat = state.seats.get_mut(&self.holder.boot_id);
        // A worker that was given up and came back has a new seat, with a count of its own.
        if let Some(seat) = seat.filter(|seat| seat.number == self.seat) {
            seat.in_use = seat.in_use.saturating_sub(1);
            seat.alone &= !self.alone;
        }
        drop(state);
        self.board.inner.wake.notify_one();
    }
}

impl Board {
    /// Waits until something may have become possible.
    pub(crate) async fn changed(&self) {
        self.inner.wake.notified().await;
    }

    /// A task waits, until its `not_before` where it has one.
    pub(crate) fn queue(&self, record: &TaskRecord, spec: Option<Arc<TaskSpec>>) {
        let mut state = self.lock();
        state.tell_workers();
        state.queue.add(record, spec);
        drop(state);
        self.inner.wake.notify_one();
    }

    /// A task waits no more.
    pub(crate) fn remove(&self, task: TaskId) {
        self.lock().queue.remove(task);
    }

    /// A worker offers slots, or changes its offer.
    pub(crate) fn offer(&self, offer: Offer) {
        let mut state = self.lock();
        state.decisions += 1;
        let next = state.decisions;
        let boot_id = offer.holder.boot_id;
        // Each heartbeat offers: mostly the same as before.
        if !state.seats.get(&boot_id).is_some_and(|seat| seat.offers_alike(&offer)) {
            state.workers_changed = true;
        }
        match state.seats.entry(boot_id) {
            Entry::Occupied(mut seat) => seat.get_mut().offer = offer,
            Entry::Vacant(seat) => {
                seat.insert(SeatState {
                    offer,
                    profile: None,
                    in_use: 0,
                    alone: false,
                    number: next,
                });
            }
        }
        drop(state);
        self.inner.wake.notify_one();
    }

    /// A worker is gone; slots taken on it are given back to nobody.
    pub(crate) fn leave(&self, boot_id: BootId) {
        let mut state = self.lock();
        state.seats.remove(&boot_id);
        state.workers_changed = true;
    }

    /// Executions on a worker, by our count.
    pub(crate) fn in_use(&self, boot_id: BootId) -> u32 {
        self.lock().seats.get(&boot_id).map_or(0, |seat| seat.in_use)
    }

    /// A slot for an execution that the worker has already, beyond its slots if need be.
    pub(crate) fn occupy(&self, holder: &Holder, alone: bool) -> Slot {
        let mut state = self.lock();
        let seat = state.seats.get_mut(&holder.boot_id).map_or(0, |seat| {
            seat.in_use += 1;
            seat.alone |= alone;
            seat.number
        });
        Slot { board: self.clone(), holder: holder.clone(), alone, seat }
    }

    /// A slot for a task that is just being submitted, if nobody else waits for it.
    pub(crate) fn seat_now(&self, record: &TaskRecord) -> Option<Slot> {
        let mut state = self.lock();
        let seats = state.open_seats();
        let boot_id = state.queue.seat_now(record, &seats)?;
        self.take(&mut state, boot_id, record.runs_alone())
    }

    /// Takes ready tasks off the board and gives each to a worker.
    pub(crate) fn assign(&self, now: Timestamp, max: usize) -> Vec<Assignment> {
        let mut state = self.lock();
        let mut seats = state.open_seats();
        state.queue.wake(now);
        let placed = state.queue.place(&mut seats, &mut Unlimited, max);
        let assign = |Placed { task, boot_id, alone, spec, lane }| {
            let slot = self.take(&mut state, boot_id, alone)?;
            Some(Assignment { task, slot, spec, lane })
        };
        placed.into_iter().filter_map(assign).collect()
    }

    /// Tasks of these lanes were not claimed after all: they lie in the store.
    pub(crate) fn put_back(&self, lanes: &[Arc<Lane>]) {
        self.lock().queue.put_back(lanes.iter().map(AsRef::as_ref));
        self.inner.wake.notify_one();
    }

    /// When the next backoff is over.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.lock().queue.next_due()
    }

    /// Which lanes are to be read from the store.
    pub(crate) fn wants_lanes(&self) -> Option<LanesRead> {
        let mut state = self.lock();
        state.tell_workers();
        state.queue.wants_lanes()
    }

    pub(crate) fn found(&self, read: &LanesRead, lanes: Vec<Lane>) {
        self.lock().queue.found(read, lanes);
        // There may be more of them.
        self.inner.wake.notify_one();
    }

    /// Which tasks are to be read from the store; see [`Queue::wants_tasks`].
    pub(crate) fn wants_tasks(&self, now: Timestamp) -> Vec<LaneRead> {
        let mut state = self.lock();
        state.queue.wake(now);
        state.queue.wants_tasks()
    }

    pub(crate) fn read(&self, reads: Vec<LaneRead>, rows: Vec<LaneRows>) {
        self.lock().queue.read(reads.into_iter().zip(rows));
        self.inner.wake.notify_one();
    }

    pub(crate) fn not_read(&self, reads: &[LaneRead]) {
        self.lock().queue.not_read(reads);
    }

    /// Compares some of what is held with the store, so that what was missed is found.
    pub(crate) fn recheck(&self) {
        self.lock().queue.recheck();
        self.inner.wake.notify_one();
    }

    /// Tasks that were too large for `patience` for every worker that could run them, and
    /// the largest request that one of those takes.
    pub(crate) fn too_large(&self, now: Timestamp, patience: Duration) -> Vec<(TaskId, u64)> {
        let mut state = self.lock();
        state.tell_workers();
        state.queue.too_large(now, patience)
    }

    /// What stands between a ready task and a worker; and whether it is the next one.
    pub(crate) fn obstacle(&self, record: &TaskRecord) -> (Obstacle, bool) {
        let state = self.lock();
        // One without slots has not registered: what it can take is not known.
        let known = state.seats.iter().filter(|(_, seat)| seat.offer.slots > 0);
        let workers = known.map(|(boot_id, seat)| Known {
            profile: &seat.offer.profile,
            seat: seat.seat(*boot_id, 0),
            open: seat.offer.open,
        });
        (obstacle(&Candidate::of(record), workers), state.queue.is_next(record.id))
    }

    fn take(&self, state: &mut State, boot_id: BootId, alone: bool) -> Option<Slot> {
        let seat = state.seats.get_mut(&boot_id)?;
        seat.in_use += 1;
        seat.alone |= alone;
        let holder = seat.offer.holder.clone();
        Some(Slot { board: self.clone(), holder, alone, seat: seat.number })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells the queue which workers there are, if that has changed.
    fn tell_workers(&mut self) {
        if !std::mem::take(&mut self.workers_changed) {
            return;
        }
        // One that has no slots has not registered: what it can take is not known.
        let known = self.seats.values().filter(|seat| seat.offer.slots > 0);
        let profiles: BTreeSet<Profile> = known.map(|seat| seat.offer.profile.clone()).collect();
        let profiles: Vec<Profile> = profiles.into_iter().collect();
        for seat in self.seats.values_mut() {
            let place = profiles.binary_search(&seat.offer.profile).ok();
            seat.profile = place.filter(|_| seat.offer.slots > 0);
        }
        self.queue.workers(profiles);
    }

    /// The workers that take new work, another one first each time.
    fn open_seats(&mut self) -> Vec<Seat> {
        self.tell_workers();
        self.decisions += 1;
        let open = self.seats.iter().filter(|(_, seat)| seat.is_open());
        let seats = open.filter_map(|(boot_id, seat)| Some(seat.seat(*boot_id, seat.profile?)));
        let mut seats: Vec<Seat> = seats.collect();
        if !seats.is_empty() {
            let first = self.decisions % seats.len() as u64;
            seats.rotate_left(usize::try_from(first).unwrap_or(0));
        }
        seats
    }
}

impl SeatState {
    /// Whether the queue need not be told of this offer.
    fn offers_alike(&self, offer: &Offer) -> bool {
        let has_slots = |offer: &Offer| offer.slots > 0;
        self.offer.profile == offer.profile && has_slots(&self.offer) == has_slots(offer)
    }

    const fn is_open(&self) -> bool {
        self.offer.open && self.offer.slots > 0
    }

    const fn seat(&self, boot_id: BootId, profile: usize) -> Seat {
        let slots = self.offer.slots;
        Seat { boot_id, profile, slots, in_use: self.in_use, taken_alone: self.alone }
    }
}

#[cfg(test)]
#[path = "board/tests.rs"]
mod tests;
