//! The reference: all tasks, what is counted of them, and what a store is to answer.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use taskfleet_core::{Epoch, Lease, TaskId, Timestamp, machine::Refusal, task::TaskState};
use taskfleet_store::{Change, Conflict, ConflictField, Counts, NewTask, Totals};

use super::{
    draft::Draft,
    event::event,
    task::{Task, What},
    transition::{Happening, Transition, transitions},
};
use crate::harness::{at, change, holder};

#[derive(Clone)]
pub(super) struct Fleet {
    pub(super) now: Timestamp,
    pub(super) epoch: Epoch,
    /// In the order of their acceptance, those that were taken out too.
    pub(super) tasks: Vec<Task>,
    pub(super) totals: Totals,
    pub(super) last_outcome: u64,
    submitted: u32,
    /// What the last transition asks of a store, each with the time at which it does.
    pub(super) calls: Vec<(Timestamp, Call)>,
}

/// A call of a store, and its answer.
#[derive(Clone)]
pub(super) enum Call {
    Submit(Vec<NewTask>, Result<Vec<Accepted>, Vec<Conflict>>),
    Apply(Vec<Change>, Vec<Result<Task, Refusal>>),
    /// What ended at this time or before: these.
    Prune(Timestamp, Vec<TaskId>),
    Reopen(Epoch),
}

#[derive(Clone)]
pub(super) enum Accepted {
    New(Task),
    Existing(TaskId, TaskState),
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            now: at(0),
            epoch: Epoch::new(at(0).unix_millis() / 1_000),
            tasks: vec![],
            totals: Totals::default(),
            last_outcome: 0,
            submitted: 0,
            calls: vec![],
        }
    }
}

impl ReferenceStateMachine for Fleet {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(fleet: &Self) -> BoxedStrategy<Transition> {
        transitions(fleet)
    }

    fn preconditions(fleet: &Self, transition: &Transition) -> bool {
        transition.makes_sense(fleet)
    }

    fn apply(mut fleet: Self, transition: &Transition) -> Self {
        fleet.calls.clear();
        match transition {
            Transition::Submit(drafts) => fleet.submit(drafts),
            Transition::Retry(nth) => {
                let ended = &fleet.tasks[*nth];
                let draft = ended.draft.again(ended.id);
                fleet.submit(&[draft]);
            }
            Transition::Happen(all) => fleet.happen(all),
            Transition::Again { task, times, what } => {
                (0..*times).for_each(|_| fleet.once_more(*task, *what));
            }
            Transition::Wait(duration) => fleet.now = fleet.now + *duration,
            Transition::Restart => fleet.restart(),
            Transition::Prune(age) => fleet.prune(*age),
        }
        fleet
    }
}

impl Fleet {
    /// Those that the store has.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| !task.pruned)
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Task> {
        self.kept().filter(|task| !task.state.is_terminal())
    }

    /// Counted, where the stores keep numbers.
    pub(super) fn counts(&self) -> Counts {
        let count = |state| self.kept().filter(|task| task.state == state).count() as u64;
        let queued = self.kept().filter(|task| task.state == TaskState::Queued);
        Counts {
            queued: count(TaskState::Queued),
            running: count(TaskState::Running),
            completed: count(TaskState::Completed),
            failed: count(TaskState::Failed),
            cancelled: count(TaskState::Cancelled),
            queued_bytes: queued.map(|task| task.draft.spec().work.size_bytes()).sum(),
        }
    }

    fn submit(&mut self, drafts: &[Draft]) {
        let new = drafts.iter().map(|draft| self.new_task(*draft)).collect::<Vec<_>>();
        let before = self.tasks.len();
        let answers = new.iter().zip(drafts).map(|(new, draft)| self.accept(new.id, *draft));
        let answers = answers.collect::<Vec<_>>();
        let clash = |(index, answer): (usize, &Result<_, ConflictField>)| {
            answer.as_ref().err().map(|field| Conflict { index, field: *field })
        };
        let clashes = answers.iter().enumerate().filter_map(clash).collect::<Vec<_>>();
        let answer = if clashes.is_empty() {
            Ok(answers.into_iter().filter_map(Result::ok).collect())
        } else {
            self.tasks.truncate(before); // All or none.
            Err(clashes)
        };
        self.calls.push((self.now, Call::Submit(new, answer)));
    }

    fn new_task(&mut self, draft: Draft) -> NewTask {
        self.submitted += 1;
        let mut random = [0; 10];
        random[6..].copy_from_slice(&self.submitted.to_be_bytes());
        let claim = draft.claimed.then(|| holder(1));
        let (spec, digest) = (Arc::new(draft.spec()), [draft.digest; 32]);
        NewTask { id: TaskId::new(self.now, random), spec, digest, claim }
    }

    fn accept(&mut self, id: TaskId, draft: Draft) -> Result<Accepted, ConflictField> {
        let known = |task: &&Task| draft.key.is_some() && task.draft.key == draft.key;
        if let Some(known) = self.kept().find(known) {
            let same = known.draft.digest == draft.digest;
            let existing = Accepted::Existing(known.id, known.state);
            return same.then_some(existing).ok_or(ConflictField::IdempotencyKey);
        }
        let name = |draft: Draft| draft.client_ref.map(|name| (draft.tenant, name));
        if name(draft).is_some() && self.kept().any(|task| name(task.draft) == name(draft)) {
            return Err(ConflictField::ClientRef);
        }
        let mut task = Task::new(id, draft, self.now);
        if draft.claimed {
            let _ = task.happen(What::Claim, Lease::NONE, self.now, self.epoch);
        }
        self.tasks.push(task.clone());
        Ok(Accepted::New(task))
    }

    fn happen(&mut self, all: &[Happening]) {
        let leases = all.iter().map(|happening| happening.of.lease(&self.tasks[happening.task]));
        let said = all.iter().copied().zip(leases.collect::<Vec<_>>());
        let (changes, answers) =
            said.map(|(one, lease)| self.one(one.task, one.what, lease)).unzip();
        self.calls.push((self.now, Call::Apply(changes, answers)));
    }

    fn one(&mut self, nth: usize, what: What, lease: Lease) -> (Change, Result<Task, Refusal>) {
        let task = &mut self.tasks[nth];
        let before = task.counters;
        let answer = task.happen(what, lease, self.now, self.epoch);
        let after = task.counters;
        self.totals.attempts_failed += u64::from(after.attempts - before.attempts);
        self.totals.worker_losses += u64::from(after.losses - before.losses);
        self.totals.throttles += u64::from(after.throttles - before.throttles);
        self.totals.requeues += u64::from(after.requeues - before.requeues);
        if task.state.is_terminal() && task.outcome.is_none() {
            self.last_outcome += 1;
            task.outcome = Some(self.last_outcome);
        }
        let event = event(what, task.id, lease, self.epoch);
        (change(task.id, event), answer.map(|()| task.clone()))
    }

    /// The pause is waited for, it is claimed and that lease comes to nothing.
    fn once_more(&mut self, nth: usize, what: What) {
        let resumes = self.tasks[nth].resumes;
        self.now = self.now.max(resumes.unwrap_or_default());
        for what in [What::Claim, what] {
            let lease = self.tasks[nth].lease();
            let (change, answer) = self.one(nth, what, lease);
            self.calls.push((self.now, Call::Apply(vec![change], vec![answer])));
        }
    }

    fn restart(&mut self) {
        let seconds = self.now.unix_millis() / 1_000;
        self.epoch = Epoch::new(seconds.max(self.epoch.number() + 1));
        self.calls.push((self.now, Call::Reopen(self.epoch)));
    }

    fn prune(&mut self, age: Duration) {
        let age = taskfleet_core::time::whole_millis(age);
        let time = Timestamp::from_unix_millis(self.now.unix_millis() - age);
        let is_due = |task: &&mut Task| !task.pruned && task.finished.is_some_and(|at| at <= time);
        let mut due = BTreeSet::new();
        for task in self.tasks.iter_mut().filter(is_due) {
            task.pruned = true;
            due.insert((task.outcome, task.id));
        }
        let due = due.into_iter().map(|(_, id)| id).collect();
        self.calls.push((self.now, Call::Prune(time, due)));
    }
}

/// A failure prints what it began with.
impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a store with {} tasks", self.tasks.len())
    }
}
