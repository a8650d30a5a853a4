//! What waits and who has room: the memory on which work is placed.
//!
//! The board is a cache. It holds a bounded window of the ready tasks; what does not fit
//! stays in the store and is fetched when the window runs low.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taskfleet_core::{
    BootId, TaskId, Timestamp,
    placement::{Candidate, Seat, Unlimited, place},
    task::{Holder, TaskRecord, TaskSpec},
};
use tokio::sync::Notify;

/// Tasks in the window at most.
const WINDOW: usize = 20_000;
/// Bytes of content kept beside them at most; the rest is read from the store when needed.
const WINDOW_BYTES: u64 = 64 << 20;

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
    ready: BTreeMap<Turn, Waiting>,
    delayed: BTreeMap<(Timestamp, TaskId), Waiting>,
    places: HashMap<TaskId, Place>,
    cached_bytes: u64,
    /// Ready tasks lie in the store that are not in the window.
    overflown: bool,
    seats: HashMap<BootId, SeatState>,
    /// Counts decisions: of equally free workers another comes first each time.
    decisions: u64,
}

/// Whose turn it is first: higher priority, then earlier submission.
type Turn = (Reverse<i32>, TaskId);

/// Where a waiting task stands.
#[derive(Clone, Copy)]
enum Place {
    Ready(Turn),
    Delayed(Timestamp),
}

struct Waiting {
    priority: i32,
    model: Option<String>,
    size_bytes: u64,
    alone: bool,
    spec: Option<Arc<TaskSpec>>,
}

struct SeatState {
    holder: Holder,
    slots: u32,
    in_use: u32,
    alone: bool,
    models: Vec<String>,
    max_request_bytes: u64,
    open: bool,
    /// Tells this seat from an earlier one of the same worker.
    number: u64,
}

/// What a worker offers.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) holder: Holder,
    pub(crate) slots: u32,
    pub(crate) models: Vec<String>,
    pub(crate) max_request_bytes: u64,
    /// Whether it takes new work.
    pub(crate) open: bool,
}

/// A task that is to go to a worker, with the slot that was taken for it.
pub(crate) struct Assignment {
    pub(crate) task: TaskId,
    pub(crate) slot: Slot,
    pub(crate) spec: Option<Arc<TaskSpec>>,
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
        self.lock().insert(record, spec);
        self.inner.wake.notify_one();
    }

    /// A task waits no more.
    pub(crate) fn remove(&self, task: TaskId) {
        self.lock().remove(task);
    }

    /// A worker offers slots, or changes its offer.
    pub(crate) fn offer(&self, offer: Offer) {
        let mut state = self.lock();
        state.decisions += 1;
        let next = state.decisions;
        let known = state.seats.get(&offer.holder.boot_id);
        let (in_use, alone, number) =
            known.map_or((0, false, next), |seat| (seat.in_use, seat.alone, seat.number));
        let boot_id = offer.holder.boot_id;
        let seat = SeatState {
            holder: offer.holder,
            slots: offer.slots,
            in_use,
            alone,
            models: offer.models,
            max_request_bytes: offer.max_request_bytes,
            open: offer.open,
            number,
        };
        state.seats.insert(boot_id, seat);
        drop(state);
        self.inner.wake.notify_one();
    }

    /// A worker is gone; slots taken on it are given back to nobody.
    pub(crate) fn leave(&self, boot_id: BootId) {
        self.lock().seats.remove(&boot_id);
    }

    /// Whether any worker that takes work has a free slot.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.lock();
        state.seats.values().any(|seat| seat.open && !seat.alone && seat.in_use < seat.slots)
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

    /// A slot for a task that is just being submitted, unless others wait before it.
    pub(crate) fn seat_now(&self, record: &TaskRecord) -> Option<Slot> {
        let mut state = self.lock();
        if !state.ready.is_empty() || state.overflown {
            return None;
        }
        let candidate = Candidate {
            task: record.id,
            model: record.model.as_deref(),
            size_bytes: record.size_bytes,
            alone: record.runs_alone(),
        };
        state.decisions += 1;
        let placed = state.place([candidate], 1);
        let (_, boot_id) = placed.first()?;
        Some(self.take(&mut state, *boot_id, candidate.alone))
    }

    /// Takes ready tasks off the board and gives each to a worker.
    pub(crate) fn assign(&self, now: Timestamp, max: usize) -> Vec<Assignment> {
        let mut state = self.lock();
        state.promote(now);
        state.decisions += 1;
        let placed = state.place_ready(max);
        let mut assignments = Vec::with_capacity(placed.len());
        for (task, boot_id) in placed {
            let Some(waiting) = state.remove(task) else { continue };
            let slot = self.take(&mut state, boot_id, waiting.alone);
            assignments.push(Assignment { task, slot, spec: waiting.spec });
        }
        assignments
    }

    /// When the next backoff on the board is over.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.lock().delayed.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether tasks should be fetched from the store: how many.
    pub(crate) fn wants(&self) -> Option<usize> {
        let state = self.lock();
        (state.overflown && state.ready.len() < WINDOW / 2).then_some(WINDOW)
    }

    /// Tasks that were taken off the board lie in the store again: look there.
    pub(crate) fn expect_more(&self) {
        self.lock().overflown = true;
        self.inner.wake.notify_one();
    }

    /// Tasks from the store; `whole` when there are no more than these.
    pub(crate) fn refill(&self, records: &[TaskRecord], whole: bool) {
        let mut state = self.lock();
        state.overflown = !whole;
        for record in records {
            state.insert(record, None);
        }
        drop(state);
        self.inner.wake.notify_one();
    }

    fn take(&self, state: &mut State, boot_id: BootId, alone: bool) -> Slot {
        let seat = state.seats.get_mut(&boot_id).expect("placed on a seat of this state");
        seat.in_use += 1;
        seat.alone |= alone;
        let number = seat.number;
        Slot { board: self.clone(), holder: seat.holder.clone(), alone, seat: number }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, record: &TaskRecord, spec: Option<Arc<TaskSpec>>) {
        let known = self.remove(record.id).and_then(|waiting| waiting.spec);
        let spec = spec.or(known).filter(|_| self.cached_bytes + record.size_bytes <= WINDOW_BYTES);
        self.cached_bytes += if spec.is_some() { record.size_bytes } else { 0 };
        let waiting = Waiting {
            priority: record.priority,
            model: record.model.clone(),
            size_bytes: record.size_bytes,
            alone: record.runs_alone(),
            spec,
        };
        match record.not_before {
            Some(due) => {
                self.places.insert(record.id, Place::Delayed(due));
                self.delayed.insert((due, record.id), waiting);
            }
            None => self.insert_ready(record.id, waiting),
        }
        if self.places.len() > WINDOW {
            self.overflow();
        }
    }

    fn insert_ready(&mut self, task: TaskId, waiting: Waiting) {
        let turn = (Reverse(waiting.priority), task);
        self.places.insert(task, Place::Ready(turn));
        self.ready.insert(turn, waiting);
    }

    /// Those whose backoff is over become ready.
    fn promote(&mut self, now: Timestamp) {
        while let Some(entry) = self.delayed.first_entry() {
            let (due, task) = *entry.key();
            if due > now {
                break;
            }
            let waiting = entry.remove();
            self.insert_ready(task, waiting);
        }
    }

    /// One stays in the store only: the last of those that wait for a backoff, which the
    /// sweep fetches when it is due, or else the last in turn.
    fn overflow(&mut self) {
        let last_delayed = self.delayed.last_key_value().map(|((_, task), _)| *task);
        if let Some(task) = last_delayed {
            self.remove(task);
        } else if let Some(task) = self.ready.last_key_value().map(|((_, task), _)| *task) {
            self.remove(task);
            self.overflown = true;
        }
    }

    fn remove(&mut self, task: TaskId) -> Option<Waiting> {
        let waiting = match self.places.remove(&task)? {
            Place::Ready(turn) => self.ready.remove(&turn)?,
            Place::Delayed(due) => self.delayed.remove(&(due, task))?,
        };
        if waiting.spec.is_some() {
            self.cached_bytes -= waiting.size_bytes;
        }
        Some(waiting)
    }

    fn place_ready(&self, max: usize) -> Vec<(TaskId, BootId)> {
        let candidates = self.ready.iter().map(|((_, task), waiting)| Candidate {
            task: *task,
            model: waiting.model.as_deref(),
            size_bytes: waiting.size_bytes,
            alone: waiting.alone,
        });
        self.place(candidates, max)
    }

    fn place<'c>(
        &self,
        candidates: impl IntoIterator<Item = Candidate<'c>>,
        max: usize,
    ) -> Vec<(TaskId, BootId)> {
        let mut seats: Vec<Seat<'_>> = self
            .seats
            .values()
            .filter(|seat| seat.open)
            .map(|seat| Seat {
                boot_id: seat.holder.boot_id,
                slots: seat.slots,
                in_use: seat.in_use,
                taken_alone: seat.alone,
                models: &seat.models,
                max_request_bytes: seat.max_request_bytes,
            })
            .collect();
        if !seats.is_empty() {
            let first = self.decisions % seats.len() as u64;
            seats.rotate_left(usize::try_from(first).unwrap_or(0));
        }
        place(candidates, &mut seats, &mut Unlimited, max)
    }
}

#[cfg(test)]
#[path = "board/tests.rs"]
mod tests;
