//! The one place that decides every change of a task's state, and can refuse.
//!
//! The store calls [`apply`] inside the transaction that writes its answer, so a decision
//! is never made on a row that has changed since. Whoever asks learns from the refusal
//! why nothing was changed.

use crate::{
    Epoch, Lease, Timestamp,
    failure::{Consequence, Delivery, FailureKind},
    limits,
    outcome::{Call, End, Failure, Outcome},
    retry::{self, Jitter},
    task::{Holder, TaskRecord, TaskState},
};

/// Something that happened to a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A worker was chosen for it; its next lease begins.
    Claim {
        /// The worker.
        holder: Holder,
        /// The supervisor's epoch.
        epoch: Epoch,
    },
    /// The execution under this lease ended.
    Ended {
        /// Of the execution.
        lease: Lease,
        /// By the worker's word.
        outcome: Outcome,
    },
    /// The worker that had this lease died, hung or was cut off.
    Lost {
        /// Of the execution.
        lease: Lease,
    },
    /// The execution under this lease is known not to have started.
    NotStarted {
        /// Of the execution.
        lease: Lease,
    },
    /// The worker refused to start this lease, for another supervisor serves it now.
    TakenBack {
        /// Of the execution.
        lease: Lease,
    },
    /// The supervisor died whose connection was all that this execution lived by: it is over,
    /// and nobody will learn how far it came.
    CutOff {
        /// Of the execution.
        lease: Lease,
    },
    /// A worker says that it holds this lease, running or ended.
    Adopt {
        /// Of the execution.
        lease: Lease,
        /// The worker.
        holder: Holder,
    },
    /// The client wants no result any more.
    Cancel,
    /// The client wants none as long as the task is in this state: it chose the task by it, and
    /// a task that has begun since may be paid for already.
    CancelIf {
        /// Queued or running.
        state: TaskState,
    },
    /// The deadline passed.
    Expire,
    /// Every worker that could run it takes smaller requests only.
    TooLarge {
        /// The largest of those, in bytes.
        max_request_bytes: u64,
    },
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such task: it was never there, or it was pruned.
    #[error("there is no such task")]
    Unknown,
    /// The task has ended; terminal states never change.
    #[error("the task has ended")]
    Terminal(TaskState),
    /// It is in this state, and not in the one that was asked for.
    #[error("the task is in another state")]
    OtherState(TaskState),
    /// Another lease is the task's now.
    #[error("the lease is stale")]
    Stale,
    /// It is not waiting to be claimed, or not yet.
    #[error("the task is not ready")]
    NotReady,
}

/// What an event did, beyond the record itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The lease that ended with it.
    pub ended: Option<EndedLease>,
}

/// How one lease ended: a line in the task's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedLease {
    /// Which.
    pub lease: Lease,
    /// How.
    pub end: LeaseEnd,
    /// Why, if it failed.
    pub kind: Option<FailureKind>,
    /// The provider may have charged for it though its outcome was not used.
    pub possibly_paid: bool,
}

/// The ways in which a lease can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// Its outcome is the task's.
    Completed,
    /// It cost an attempt, or the task.
    Failed,
    /// It cost only time.
    Throttled,
    /// Its worker was lost.
    WorkerLost,
    /// It came back and counted as nothing.
    Requeued,
    /// The task was cancelled.
    Cancelled,
    /// The task's deadline passed.
    Expired,
}

impl LeaseEnd {
    /// The word for spans and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Throttled => "throttled",
            Self::WorkerLost => "worker_lost",
            Self::Requeued => "requeued",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// Decides what `event` does to `task`, and does it. On a refusal nothing has changed.
///
/// # Errors
/// Says why the event does not apply.
pub fn apply(
    task: &mut TaskRecord,
    event: &Event,
    now: Timestamp,
    jitter: Jitter,
) -> Result<Change, Refusal> {
    use TaskState::{Cancelled, Completed, Failed, Queued, Running};
    match (task.state, event) {
        (state @ (Completed | Failed | Cancelled), _) => Err(Refusal::Terminal(state)),

        (Queued, Event::Claim { holder, epoch }) if task.is_ready(now) => {
            task.lease_borrowed = false;
            Ok(claim(task, task.lease.next(*epoch), holder, now))
        }
        (_, Event::Claim { .. }) => Err(Refusal::NotReady),

        // Lost or handed back, yet a worker has it: go on there rather than call again.
        (Queued, Event::Adopt { lease, holder })
            if *lease > task.lease || (*lease == task.lease && task.lease_unheard) =>
        {
            task.lease_borrowed |= *lease > task.lease;
            Ok(claim(task, *lease, holder, now))
        }
        (Running, Event::Adopt { lease, holder }) if *lease == task.lease => {
            task.holder = Some(holder.clone());
            Ok(Change::default())
        }
        (Running, Event::Adopt { lease, holder }) if *lease > task.lease => {
            let ended = end_lease(task, LeaseEnd::Requeued, None, true);
            // The call of the lower lease may have been made: no repeat goes uncounted.
            task.counters.requeues += 1;
            task.lease_borrowed = true;
            claim(task, *lease, holder, now);
            Ok(ended)
        }

        (Running, Event::Ended { lease, outcome }) if *lease == task.lease => {
            Ok(end(task, outcome, now, jitter))
        }
        // The late good outcome of a worker that was taken for lost.
        (Queued, Event::Ended { lease, outcome: Outcome { end: End::Completed(_), .. } })
            if *lease == task.lease && task.lease_unheard =>
        {
            Ok(finish(task, Completed, LeaseEnd::Completed, None, false, now))
        }

        (Running, Event::Lost { lease }) if *lease == task.lease => Ok(lose(task, now)),
        (Running, Event::NotStarted { lease }) if *lease == task.lease => {
            task.lease_unheard = true;
            Ok(requeue(task, Delivery::NotSent, now))
        }
        // What supervisors do to each other is not counted on tasks, lest they fail of it.
        (Running, Event::TakenBack { lease }) if *lease == task.lease => {
            Ok(back_to_queue(task, now, LeaseEnd::Requeued, None, false))
        }
        // No fault of its worker, and no sign of a poison task: no loss.
        (Running, Event::CutOff { lease }) if *lease == task.lease => {
            Ok(requeue(task, Delivery::Sent, now))
        }
        (
            Queued | Running,
            Event::Adopt { .. }
            | Event::Ended { .. }
            | Event::Lost { .. }
            | Event::CutOff { .. }
            | Event::TakenBack { .. }
            | Event::NotStarted { .. },
        ) => Err(Refusal::Stale),

        (state @ (Queued | Running), Event::CancelIf { state: wanted }) if state != *wanted => {
            Err(Refusal::OtherState(state))
        }
        (Queued | Running, Event::Cancel | Event::CancelIf { .. }) => {
            let kind = Some(FailureKind::Cancelled);
            Ok(finish(task, Cancelled, LeaseEnd::Cancelled, kind, true, now))
        }
        (Queued | Running, Event::Expire) if now < task.deadline => Err(Refusal::NotReady),
        (Queued | Running, Event::Expire) => {
            let kind = Some(FailureKind::DeadlineExceeded);
            Ok(finish(task, Failed, LeaseEnd::Expired, kind, true, now))
        }

        (Queued, Event::TooLarge { .. }) => {
            let kind = Some(FailureKind::InvalidRequest);
            Ok(finish(task, Failed, LeaseEnd::Failed, kind, false, now))
        }
        (Running, Event::TooLarge { .. }) => Err(Refusal::NotReady),
    }
}

fn claim(task: &mut TaskRecord, lease: Lease, holder: &Holder, now: Timestamp) -> Change {
    task.state = TaskState::Running;
    task.lease = lease;
    task.lease_unheard = false;
    task.holder = Some(holder.clone());
    task.claimed_at = Some(now);
    task.not_before = None;
    Change::default()
}

/// The live execution ended by its worker's word.
fn end(task: &mut TaskRecord, outcome: &Outcome, now: Timestamp, jitter: Jitter) -> Change {
    let call = &outcome.call;
    match &outcome.end {
        End::Completed(_) => {
            finish(task, TaskState::Completed, LeaseEnd::Completed, None, false, now)
        }
        End::Released => requeue(task, call.delivery, now),
        End::Failed(failure) => fail(task, failure, call, now, jitter),
        // Nobody here asked for it: our own cancels have ended the task before.
        End::Cancelled => {
            let failure = Failure::new(FailureKind::Internal, "");
            fail(task, &failure, call, now, jitter)
        }
    }
}

fn fail(
    task: &mut TaskRecord,
    failure: &Failure,
    call: &Call,
    now: Timestamp,
    jitter: Jitter,
) -> Change {
    let kind = failure.kind;
    let paid = kind.possibly_paid(call.delivery, call.http_status);
    match failure.consequence(call) {
        Consequence::Fail => {
            finish(task, TaskState::Failed, LeaseEnd::Failed, Some(kind), paid, now)
        }
        Consequence::Attempt => {
            task.counters.attempts += 1;
            if task.counters.attempts >= task.retry.max_attempts {
                return finish(task, TaskState::Failed, LeaseEnd::Failed, Some(kind), paid, now);
            }
            let pause = task.retry.after_attempt(task.counters.attempts, jitter);
            back_to_queue(task, now + pause, LeaseEnd::Failed, Some(kind), paid)
        }
        Consequence::Throttle => {
            task.counters.throttles += 1;
            let nth = task.counters.throttles;
            let pause = retry::after_throttle(kind, nth, failure.retry_after, jitter);
            back_to_queue(task, now + pause, LeaseEnd::Throttled, Some(kind), paid)
        }
    }
}

fn lose(task: &mut TaskRecord, now: Timestamp) -> Change {
    task.lease_unheard = true;
    task.counters.losses += 1;
    let kind = Some(FailureKind::WorkerLost);
    if task.counters.losses >= limits::MAX_WORKER_LOSSES {
        return finish(task, TaskState::Failed, LeaseEnd::WorkerLost, kind, true, now);
    }
    let pause = retry::after_loss(task.counters.losses);
    back_to_queue(task, now + pause, LeaseEnd::WorkerLost, kind, true)
}

fn requeue(task: &mut TaskRecord, delivery: Delivery, now: Timestamp) -> Change {
    let paid = delivery != Delivery::NotSent;
    task.counters.requeues += 1;
    if task.counters.requeues >= limits::MAX_REQUEUES {
        let kind = Some(FailureKind::Internal);
        return finish(task, TaskState::Failed, LeaseEnd::Requeued, kind, paid, now);
    }
    let pause = retry::after_requeue(task.counters.requeues);
    back_to_queue(task, now + pause, LeaseEnd::Requeued, None, paid)
}

/// The lease stays: until the next claim raises it, a late good outcome is accepted.
fn back_to_queue(
    task: &mut TaskRecord,
    not_before: Timestamp,
    end: LeaseEnd,
    kind: Option<FailureKind>,
    possibly_paid: bool,
) -> Change {
    let change = end_lease(task, end, kind, possibly_paid);
    task.state = TaskState::Queued;
    task.not_before = Some(not_before);
    task.kind = kind;
    change
}

fn finish(
    task: &mut TaskRecord,
    state: TaskState,
    end: LeaseEnd,
    kind: Option<FailureKind>,
    possibly_paid: bool,
    now: Timestamp,
) -> Change {
    let late_or_live = task.state == TaskState::Running || end == LeaseEnd::Completed;
    let change =
        if late_or_live { end_lease(task, end, kind, possibly_paid) } else { Change::default() };
    task.state = state;
    task.kind = kind;
    task.not_before = None;
    task.finished_at = Some(now);
    change
}

fn end_lease(
    task: &mut TaskRecord,
    end: LeaseEnd,
    kind: Option<FailureKind>,
    possibly_paid: bool,
) -> Change {
    task.holder = None;
    Change { ended: Some(EndedLease { lease: task.lease, end, kind, possibly_paid }) }
}

#[cfg(test)]
#[path = "machine/tests.rs"]
mod tests;
