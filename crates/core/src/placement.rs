//! Which ready task goes to which worker: one pure decision.

use crate::{BootId, TaskId};

/// A task that may be claimed now, in the order in which it is its turn.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The task.
    pub task: TaskId,
    /// The model it asks for, where it names one.
    pub model: Option<&'a str>,
    /// The size of its request, in bytes.
    pub size_bytes: u64,
    /// It must have a worker for itself.
    pub alone: bool,
}

/// A worker that takes work.
#[derive(Debug, Clone)]
pub struct Seat<'a> {
    /// The worker.
    pub boot_id: BootId,
    /// Executions at once.
    pub slots: u32,
    /// Executions that run.
    pub in_use: u32,
    /// One of them must be alone.
    pub taken_alone: bool,
    /// Models that it serves; none: any.
    pub models: &'a [String],
    /// The largest request that it takes, in bytes.
    pub max_request_bytes: u64,
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

impl Seat<'_> {
    fn free(&self) -> u32 {
        if self.taken_alone { 0 } else { self.slots.saturating_sub(self.in_use) }
    }

    fn takes(&self, candidate: &Candidate<'_>) -> bool {
        self.free() > 0 && (!candidate.alone || self.in_use == 0) && self.fits(candidate)
    }

    fn fits(&self, candidate: &Candidate<'_>) -> bool {
        candidate.size_bytes <= self.max_request_bytes
            && (self.models.is_empty()
                || candidate.model.is_none_or(|model| self.models.iter().any(|m| m == model)))
    }

    fn take(&mut self, candidate: &Candidate<'_>) {
        self.in_use += 1;
        self.taken_alone = candidate.alone;
    }

    /// Compares free shares without dividing: a/b < c/d as a*d < c*b.
    fn is_freer_than(&self, other: &Self) -> bool {
        let cross = |a: &Self, b: &Self| u64::from(a.free()) * u64::from(b.slots);
        cross(self, other) > cross(other, self)
    }
}

/// Gives each candidate, in turn, to the worker with the largest free share of its slots
/// among those that can take it, until `max` are placed. One that no worker can take now is
/// passed over; if it has to run alone, the emptiest worker that it fits takes nothing else,
/// or it would wait as long as there is other work. `seats` are left as they are then.
pub fn place<'c>(
    candidates: impl IntoIterator<Item = Candidate<'c>>,
    seats: &mut [Seat<'_>],
    limiter: &mut dyn Limiter,
    max: usize,
) -> Vec<(TaskId, BootId)> {
    let mut free: u64 = seats.iter().map(|seat| u64::from(seat.free())).sum();
    let mut placed = Vec::new();
    let mut hopeless = Hopeless::default();
    let mut reserved = false;
    for candidate in candidates {
        if free == 0 || placed.len() == max {
            break;
        }
        if hopeless.covers(&candidate) {
            continue;
        }
        let Some(seat) = best(seats, &candidate) else {
            if candidate.alone && !reserved {
                free -= reserve(seats, &candidate);
                reserved = true;
            }
            hopeless.add(&candidate);
            continue;
        };
        if limiter.admit(&candidate, seat.boot_id) == Admission::Throttled {
            continue;
        }
        let before = seat.free();
        seat.take(&candidate);
        free -= u64::from(before - seat.free());
        placed.push((candidate.task, seat.boot_id));
    }
    placed
}

/// What no worker could take in this decision: seats only fill, so nobody takes more of it.
#[derive(Default)]
struct Hopeless<'c> {
    kinds: Vec<Candidate<'c>>,
}

impl<'c> Hopeless<'c> {
    fn covers(&self, candidate: &Candidate<'c>) -> bool {
        self.kinds.iter().any(|kind| {
            kind.model == candidate.model
                && kind.alone == candidate.alone
                && kind.size_bytes <= candidate.size_bytes
        })
    }

    fn add(&mut self, candidate: &Candidate<'c>) {
        // Bounded: of more models that nobody serves, the rest is looked at one by one.
        if self.kinds.len() < 64 {
            self.kinds.push(*candidate);
        }
    }
}

/// Keeps a worker free for a task that has to run alone; returns how many slots that closes.
fn reserve(seats: &mut [Seat<'_>], candidate: &Candidate<'_>) -> u64 {
    let emptiest = seats
        .iter_mut()
        .filter(|seat| seat.in_use > 0 && !seat.taken_alone && seat.fits(candidate))
        .min_by_key(|seat| seat.in_use);
    let Some(seat) = emptiest else { return 0 };
    let closed = u64::from(seat.free());
    seat.taken_alone = true;
    closed
}

fn best<'s, 'm>(seats: &'s mut [Seat<'m>], candidate: &Candidate<'_>) -> Option<&'s mut Seat<'m>> {
    seats
        .iter_mut()
        .filter(|seat| seat.takes(candidate))
        .reduce(|best, seat| if seat.is_freer_than(best) { seat } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn task(n: u8) -> Candidate<'static> {
        let task = TaskId::new(Timestamp::from_unix_millis(1), [n; 10]);
        Candidate { task, model: None, size_bytes: 10, alone: false }
    }

    fn seat(n: u8, slots: u32, in_use: u32) -> Seat<'static> {
        Seat {
            boot_id: BootId::from_bytes([n; 16]),
            slots,
            in_use,
            taken_alone: false,
            models: &[],
            max_request_bytes: 100,
        }
    }

    fn workers(
        candidates: impl IntoIterator<Item = Candidate<'static>>,
        seats: &mut [Seat<'_>],
    ) -> Vec<u8> {
        let placed = place(candidates, seats, &mut Unlimited, usize::MAX);
        placed.iter().map(|(_, boot)| boot.as_bytes()[0]).collect()
    }

    #[test]
    fn work_goes_where_the_largest_share_is_free_and_never_over_the_slots() {
        let mut seats = [seat(1, 10, 5), seat(2, 4, 0)];
        assert_eq!(workers((0..20).map(task), &mut seats).len(), 9);
        assert!(seats.iter().all(|seat| seat.in_use == seat.slots));
        assert_eq!(workers([task(1)], &mut [seat(1, 10, 5), seat(2, 4, 1)]), [2]);
    }

    #[test]
    fn a_task_that_runs_alone_waits_for_an_empty_worker_and_keeps_it() {
        let alone = Candidate { alone: true, ..task(1) };
        assert!(workers([alone], &mut [seat(1, 8, 1)]).is_empty());
        assert_eq!(workers([alone, task(2), task(3)], &mut [seat(1, 8, 0)]), [1]);
    }

    #[test]
    fn a_worker_is_kept_free_for_a_task_that_has_to_run_alone() {
        let alone = Candidate { alone: true, ..task(1) };
        assert!(workers([alone, task(2)], &mut [seat(1, 8, 3)]).is_empty());
        assert_eq!(workers([alone, task(2)], &mut [seat(1, 8, 3), seat(2, 8, 5)]), [2]);
        let smaller = Candidate { size_bytes: 1, alone: true, ..task(3) };
        let seats = &mut [seat(1, 8, 3), seat(2, 8, 5)];
        assert_eq!(workers([alone, smaller, task(2)], seats), [2], "one worker, not all");
    }

    #[test]
    fn what_nobody_takes_does_not_count_against_the_most_to_be_placed() {
        let models = ["small".to_owned()];
        let mut seats = [Seat { models: &models, ..seat(1, 8, 0) }];
        let unserved = (0..50).map(|n| Candidate { model: Some("large"), ..task(n) });
        let placed = place(unserved.chain([task(60)]), &mut seats, &mut Unlimited, 1);
        assert_eq!(placed, [(task(60).task, seats[0].boot_id)]);
    }

    #[test]
    fn models_and_sizes_are_respected_and_block_nobody_behind_them() {
        let models = ["small".to_owned()];
        let mut seats = [Seat { models: &models, ..seat(1, 8, 0) }];
        let other = Candidate { model: Some("large"), ..task(1) };
        let fits = Candidate { model: Some("small"), ..task(2) };
        let too_big = Candidate { size_bytes: 101, ..task(3) };
        let placed = place([other, too_big, fits], &mut seats, &mut Unlimited, usize::MAX);
        assert_eq!(placed, [(fits.task, seats[0].boot_id)]);
    }
}
