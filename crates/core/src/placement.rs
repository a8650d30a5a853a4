//! What a task demands against what a worker offers: the parts of one decision. The
//! decision itself, over all that waits, is [`crate::queue::Queue::place`].

use crate::{BootId, TaskId, demand::Features, task::TaskRecord};

/// What a task asks of a worker.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The task.
    pub task: TaskId,
    /// The model it asks for, where it names one.
    pub model: Option<&'a str>,
    /// What its worker must be able to do.
    pub needs: Features,
    /// The size of the request that carries it, in bytes.
    pub size_bytes: u64,
    /// It must have a worker for itself.
    pub alone: bool,
}

impl<'a> Candidate<'a> {
    /// What this task asks.
    #[must_use]
    pub fn of(record: &'a TaskRecord) -> Self {
        Self {
            task: record.id,
            model: record.model.as_deref(),
            needs: record.needs,
            size_bytes: record.request_bytes(),
            alone: record.runs_alone(),
        }
    }
}

/// What a worker can take at all, however busy it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile {
    /// Models that it serves; none: any.
    pub models: Vec<String>,
    /// What it can do beyond the published contract.
    pub features: Features,
    /// The largest request that it takes, in bytes.
    pub max_request_bytes: u64,
}

impl Profile {
    /// Whether it serves the model; a task that names none runs with the worker's own.
    #[must_use]
    pub fn serves(&self, model: Option<&str>) -> bool {
        self.models.is_empty()
            || model.is_none_or(|model| self.models.iter().any(|served| served == model))
    }

    /// Whether it takes such tasks, but for their size.
    #[must_use]
    pub fn suits(&self, model: Option<&str>, needs: Features) -> bool {
        self.features.contains(needs) && self.serves(model)
    }
}

/// A worker that takes work.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The worker.
    pub boot_id: BootId,
    /// Which of the profiles that the queue was told is its own.
    pub profile: usize,
    /// Executions at once.
    pub slots: u32,
    /// Executions that run.
    pub in_use: u32,
    /// One of them must be alone.
    pub taken_alone: bool,
}

impl Seat {
    /// Slots that can be taken now.
    #[must_use]
    pub const fn free(&self) -> u32 {
        if self.taken_alone { 0 } else { self.slots.saturating_sub(self.in_use) }
    }

    pub(crate) const fn has_room(&self, alone: bool) -> bool {
        self.free() > 0 && (!alone || self.in_use == 0)
    }

    /// Takes a slot; answers with how many fewer are free.
    pub(crate) fn take(&mut self, alone: bool) -> u64 {
        let before = self.free();
        self.in_use += 1;
        self.taken_alone = alone;
        u64::from(before - self.free())
    }

    /// Compares free shares without dividing: a/b < c/d as a*d < c*b.
    fn is_freer_than(&self, other: &Self) -> bool {
        let cross = |a: &Self, b: &Self| u64::from(a.free()) * u64::from(b.slots);
        cross(self, other) > cross(other, self)
    }
}

/// What the account's budget says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may start now.
    Granted,
    /// Not now.
    Throttled,
}

/// The account's budget, asked last: what it grants is charged.
pub trait Limiter {
    /// Whether this call may start now.
    fn admit(&mut self, candidate: &Candidate<'_>, worker: BootId) -> Admission;
}

/// No budget is known: everything may start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Limiter for Unlimited {
    fn admit(&mut self, _: &Candidate<'_>, _: BootId) -> Admission {
        Admission::Granted
    }
}

/// Which worker has the largest free share of its slots among those that fit and have room;
/// of equally free ones the first.
pub(crate) fn best(seats: &[Seat], alone: bool, fits: impl Fn(&Seat) -> bool) -> Option<usize> {
    let open = seats.iter().enumerate().filter(|(_, seat)| seat.has_room(alone) && fits(seat));
    let freest = open.reduce(|best, next| if next.1.is_freer_than(best.1) { next } else { best });
    freest.map(|(index, _)| index)
}

/// Keeps the emptiest worker that fits free for a task that has to run alone; returns how
/// many slots that closes.
pub(crate) fn reserve(seats: &mut [Seat], fits: impl Fn(&Seat) -> bool) -> u64 {
    let emptiest = seats
        .iter_mut()
        .filter(|seat| seat.in_use > 0 && !seat.taken_alone && fits(seat))
        .min_by_key(|seat| seat.in_use);
    let Some(seat) = emptiest else { return 0 };
    let closed = u64::from(seat.free());
    seat.taken_alone = true;
    closed
}

/// What stands between a ready task and a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no worker.
    NoWorker,
    /// None serves its model.
    Model,
    /// Those that serve it do not know what it needs.
    Needs,
    /// Those that could run it take smaller requests only, of so many bytes at most.
    Size(u64),
    /// Only these could run it, and they take nothing new now.
    Closed(Vec<BootId>),
    /// It must run alone, and none of those is empty.
    NotEmpty,
    /// All slots of those are in use; so many there are, on so many workers.
    NoFreeSlot {
        /// Workers that could run it.
        workers: usize,
        /// Their slots.
        slots: u64,
    },
    /// None: its turn has not come.
    None,
}

/// A worker that may take work or not.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// What it can take at all.
    pub profile: &'a Profile,
    /// Its slots.
    pub seat: Seat,
    /// Whether it takes new work now.
    pub open: bool,
}

/// The first obstacle that is in the way of a task. Whether a worker could run it comes
/// before whether it takes work now: one that is set aside serves its models all the same.
pub fn obstacle<'a>(
    candidate: &Candidate<'_>,
    workers: impl IntoIterator<Item = Known<'a>>,
) -> Obstacle {
    let mut left: Vec<Known<'_>> = workers.into_iter().collect();
    if left.is_empty() {
        return Obstacle::NoWorker;
    }
    left.retain(|known| known.profile.serves(candidate.model));
    if left.is_empty() {
        return Obstacle::Model;
    }
    left.retain(|known| known.profile.features.contains(candidate.needs));
    let Some(largest) = left.iter().map(|known| known.profile.max_request_bytes).max() else {
        return Obstacle::Needs;
    };
    left.retain(|known| candidate.size_bytes <= known.profile.max_request_bytes);
    if left.is_empty() {
        return Obstacle::Size(largest);
    }
    if !left.iter().any(|known| known.open) {
        return Obstacle::Closed(left.iter().map(|known| known.seat.boot_id).collect());
    }
    left.retain(|known| known.open);
    busy(candidate, &left)
}

/// What keeps those from taking it that could and take work.
fn busy(candidate: &Candidate<'_>, open: &[Known<'_>]) -> Obstacle {
    if open.iter().any(|known| known.seat.has_room(candidate.alone)) {
        Obstacle::None
    } else if candidate.alone {
        Obstacle::NotEmpty
    } else {
        let slots = open.iter().map(|known| u64::from(known.seat.slots)).sum();
        Obstacle::NoFreeSlot { workers: open.len(), slots }
    }
}

#[cfg(test)]
#[path = "placement/tests.rs"]
mod tests;
