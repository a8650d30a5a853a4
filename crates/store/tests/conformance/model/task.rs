//! What a task may do, said a second time and in other words than `core::machine` says it: by
//! what a lease is to its task, and by what it costs when a lease came to nothing.

use std::{collections::BTreeMap, time::Duration};

use taskfleet_core::{
    Epoch, Lease, TaskId, Timestamp,
    failure::FailureKind,
    machine::{LeaseEnd, Refusal},
    task::{Counters, TaskState},
};

use super::draft::Draft;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) draft: Draft,
    pub(super) state: TaskState,
    /// Every lease that it ever had, in the order in which it had them.
    pub(super) leases: Vec<Lease>,
    /// The last lease ended without its worker's word: a good one would still be welcome.
    pub(super) unheard: bool,
    pub(super) counters: Counters,
    /// Live leases that gave way to one above them.
    pub(super) displaced: u32,
    /// Set while it waits for the first time since it came back.
    pub(super) resumes: Option<Timestamp>,
    pub(super) deadline: Timestamp,
    pub(super) kind: Option<FailureKind>,
    /// How each ended lease ended.
    pub(super) history: BTreeMap<Lease, LeaseEnd>,
    pub(super) finished: Option<Timestamp>,
    /// The number of its outcome.
    pub(super) outcome: Option<u64>,
    pub(super) pruned: bool,
}

/// What can happen to a task; most of it is said of a lease.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    Claim,
    Adopt,
    Complete,
    Fail(FailureKind),
    FailForGood,
    FailUnsent,
    Release,
    Abort,
    Lose,
    NotStart,
    CutOff,
    Cancel,
    CancelIf(TaskState),
    Expire,
    TooLarge,
}

/// What a lease is to its task.
#[derive(PartialEq)]
enum Standing {
    Live,
    /// Given up, and not followed by another yet.
    Missed,
    /// Not the task's yet.
    Ahead,
    Stale,
}

/// What it costs that the live lease came to nothing.
#[derive(Clone, Copy)]
enum Price {
    Task,
    Attempt,
    Loss,
    Throttle,
    HandBack,
}

impl Task {
    pub(super) fn new(id: TaskId, draft: Draft, now: Timestamp) -> Self {
        Self {
            id,
            draft,
            state: TaskState::Queued,
            leases: vec![],
            unheard: false,
            counters: Counters::default(),
            displaced: 0,
            resumes: None,
            deadline: now + draft.deadline,
            kind: None,
            history: BTreeMap::new(),
            finished: None,
            outcome: None,
            pruned: false,
        }
    }

    pub(super) fn lease(&self) -> Lease {
        self.leases.last().copied().unwrap_or_default()
    }

    /// What comes of it, or why nothing does.
    pub(super) fn happen(
        &mut self,
        what: What,
        lease: Lease,
        now: Timestamp,
        epoch: Epoch,
    ) -> Result<(), Refusal> {
        if self.pruned {
            return Err(Refusal::Unknown);
        }
        if self.state.is_terminal() {
            return Err(Refusal::Terminal(self.state));
        }
        match what {
            What::Claim => self.claim(now, epoch),
            What::Cancel | What::CancelIf(_) | What::Expire | What::TooLarge => {
                self.give_up(what, now)
            }
            What::Adopt => self.adopt(lease),
            What::Complete => self.complete(lease, now),
            _ if self.standing(lease) != Standing::Live => Err(Refusal::Stale),
            _ => {
                self.unheard = matches!(what, What::Lose | What::NotStart);
                let (price, kind) = price(what);
                self.pay(price, kind, now);
                Ok(())
            }
        }
    }

    fn standing(&self, lease: Lease) -> Standing {
        match self.state {
            _ if lease > self.lease() => Standing::Ahead,
            TaskState::Running if lease == self.lease() => Standing::Live,
            TaskState::Queued if lease == self.lease() && self.unheard => Standing::Missed,
            _ => Standing::Stale,
        }
    }

    fn claim(&mut self, now: Timestamp, epoch: Epoch) -> Result<(), Refusal> {
        let pausing = self.resumes.is_some_and(|at| now < at);
        if self.state != TaskState::Queued || pausing || now >= self.deadline {
            return Err(Refusal::NotReady);
        }
        let least = (epoch.number() << 24) + 1;
        self.run(Lease::new(least.max(self.lease().number() + 1)));
        Ok(())
    }

    fn run(&mut self, lease: Lease) {
        self.leases.push(lease);
        self.state = TaskState::Running;
        self.resumes = None;
        self.unheard = false;
    }

    fn adopt(&mut self, lease: Lease) -> Result<(), Refusal> {
        match self.standing(lease) {
            Standing::Live => {}
            Standing::Stale => return Err(Refusal::Stale),
            Standing::Missed => self.run(lease),
            Standing::Ahead if self.state == TaskState::Queued => self.run(lease),
            Standing::Ahead => {
                self.history.insert(self.lease(), LeaseEnd::Requeued);
                self.counters.requeues += 1;
                self.displaced += 1;
                self.run(lease);
            }
        }
        Ok(())
    }

    fn complete(&mut self, lease: Lease, now: Timestamp) -> Result<(), Refusal> {
        match self.standing(lease) {
            Standing::Live | Standing::Missed => {
                self.history.insert(lease, LeaseEnd::Completed);
                self.end(TaskState::Completed, None, now);
                Ok(())
            }
            Standing::Ahead | Standing::Stale => Err(Refusal::Stale),
        }
    }

    /// It ends without a word from any worker.
    fn give_up(&mut self, what: What, now: Timestamp) -> Result<(), Refusal> {
        let running = self.state == TaskState::Running;
        let (state, kind, end) = match what {
            What::CancelIf(state) if state != self.state => {
                return Err(Refusal::OtherState(self.state));
            }
            What::Expire if now < self.deadline => return Err(Refusal::NotReady),
            What::TooLarge if running => return Err(Refusal::NotReady),
            What::Expire => (TaskState::Failed, FailureKind::DeadlineExceeded, LeaseEnd::Expired),
            What::TooLarge => (TaskState::Failed, FailureKind::InvalidRequest, LeaseEnd::Failed),
            _ => (TaskState::Cancelled, FailureKind::Cancelled, LeaseEnd::Cancelled),
        };
        if running {
            self.history.insert(self.lease(), end);
        }
        self.end(state, Some(kind), now);
        Ok(())
    }

    fn pay(&mut self, price: Price, kind: Option<FailureKind>, now: Timestamp) {
        let counters = &mut self.counters;
        let (count, limit, end) = match price {
            Price::Task => (&mut 0, 0, LeaseEnd::Failed),
            Price::Attempt => (&mut counters.attempts, self.draft.attempts, LeaseEnd::Failed),
            Price::Loss => (&mut counters.losses, 5, LeaseEnd::WorkerLost),
            Price::Throttle => (&mut counters.throttles, u32::MAX, LeaseEnd::Throttled),
            Price::HandBack => (&mut counters.requeues, 20, LeaseEnd::Requeued),
        };
        *count += 1;
        let nth = *count;
        self.history.insert(self.lease(), end);
        if nth >= limit {
            return self.end(TaskState::Failed, kind.or(Some(FailureKind::Internal)), now);
        }
        self.state = TaskState::Queued;
        self.kind = kind;
        self.resumes = Some(now + pause(price, kind, nth));
    }

    fn end(&mut self, state: TaskState, kind: Option<FailureKind>, now: Timestamp) {
        self.state = state;
        self.kind = kind;
        self.resumes = None;
        self.finished = Some(now);
    }
}

fn price(what: What) -> (Price, Option<FailureKind>) {
    use FailureKind::{
        Authentication, BadResponse, Connection, ContentFiltered, DeadlineExceeded, Internal,
        InvalidRequest, Overloaded, QuotaExhausted, RateLimited, WorkerLost,
    };
    match what {
        What::Lose => (Price::Loss, Some(WorkerLost)),
        What::FailForGood => (Price::Task, Some(BadResponse)),
        What::FailUnsent => (Price::Throttle, Some(Connection)),
        What::Abort => (Price::Attempt, Some(Internal)),
        What::Fail(kind) => match kind {
            QuotaExhausted | RateLimited | Overloaded => (Price::Throttle, Some(kind)),
            InvalidRequest | Authentication | ContentFiltered | DeadlineExceeded => {
                (Price::Task, Some(kind))
            }
            _ => (Price::Attempt, Some(kind)),
        },
        _ => (Price::HandBack, None),
    }
}

/// With the longest jitter: so many are free, then it doubles from the first to the longest.
fn pause(price: Price, kind: Option<FailureKind>, nth: u32) -> Duration {
    let (free, first, longest) = match price {
        Price::Throttle if kind == Some(FailureKind::Overloaded) => (0, 4_000, 60_000),
        Price::Loss => (1, 1_000, 60_000),
        Price::HandBack => (2, 100, 10_000),
        Price::Task | Price::Attempt | Price::Throttle => (0, 1_000, 60_000),
    };
    match nth.checked_sub(free + 1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_millis((first << doublings.min(20)).min(longest)),
    }
}
