//! The durable part: tasks, changed through [`machine::apply`] only, and the epoch.

use std::collections::{BTreeMap, BTreeSet};

use taskfleet_core::{
    Epoch, Lease, TaskId, Timestamp,
    adoption::Held,
    machine::{self, Event, Refusal},
    outcome::{End, Outcome, Payload},
    retry::Jitter,
    task::{TaskRecord, TaskState},
};

/// What a backup holds.
#[derive(Debug, Clone, Default)]
struct Disk {
    tasks: BTreeMap<TaskId, TaskRecord>,
    results: BTreeMap<TaskId, String>,
    epoch: Epoch,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    disk: Disk,
    backup: Disk,
    /// The highest lease that each task ever had: outside the disk, to check it against.
    highest: BTreeMap<TaskId, Lease>,
    /// The executions whose outcome was accepted: each only once.
    accepted: BTreeSet<(TaskId, Lease)>,
}

impl Store {
    pub(crate) fn submit(&mut self, task: TaskRecord) {
        self.disk.tasks.insert(task.id, task);
    }

    pub(crate) fn open(&mut self, now: Timestamp) -> Epoch {
        self.disk.epoch = self.disk.epoch.next(now.unix_millis() / 1_000);
        self.disk.epoch
    }

    pub(crate) fn back_up(&mut self) {
        self.backup = self.disk.clone();
    }

    pub(crate) fn restore(&mut self) {
        self.disk = self.backup.clone();
        self.accepted.clear();
    }

    pub(crate) fn get(&self, task: TaskId) -> Option<&TaskRecord> {
        self.disk.tasks.get(&task)
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &TaskRecord> {
        self.disk.tasks.values()
    }

    pub(crate) fn result(&self, task: TaskId) -> Option<&String> {
        self.disk.results.get(&task)
    }

    /// The live leases, each with its holder's task record.
    pub(crate) fn running(&self) -> Vec<TaskRecord> {
        self.tasks().filter(|task| task.state == TaskState::Running).cloned().collect()
    }

    /// Applies an event and checks what must hold for every event.
    pub(crate) fn apply(
        &mut self,
        id: TaskId,
        event: &Event,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let task = self.disk.tasks.get_mut(&id).ok_or(Refusal::Unknown)?;
        let before = task.clone();
        let answer = machine::apply(task, event, now, Jitter::new(0.5));
        assert_legal(&before, event, task, answer.is_ok());
        if answer.is_ok() {
            let highest = self.highest.entry(id).or_default();
            let claimed = matches!(event, Event::Claim { .. });
            assert!(!claimed || task.lease > *highest, "{:?} was given out before", task.lease);
            *highest = task.lease.max(*highest);
            if let Event::Ended { lease, .. } = event {
                assert!(self.accepted.insert((id, *lease)), "{lease:?} was counted twice");
            }
            if let Event::Ended { outcome: Outcome { end: End::Completed(text), .. }, .. } = event {
                self.disk.results.insert(id, text_of(text));
            }
        }
        answer.map(|_| ())
    }
}

fn text_of(payload: &Payload) -> String {
    String::from_utf8_lossy(payload.as_bytes()).into_owned()
}

fn assert_legal(before: &TaskRecord, event: &Event, after: &TaskRecord, accepted: bool) {
    assert!(accepted || before == after, "a refused {event:?} changed {before:?}");
    assert!(!before.state.is_terminal() || before == after, "{event:?} changed an ended task");
    assert!(after.lease >= before.lease, "{event:?} lowered a lease");
    if let Event::Ended { lease, .. } | Event::Lost { lease } | Event::NotStarted { lease } = event
    {
        assert!(!accepted || *lease == before.lease, "the stale {event:?} won");
    }
    if let (Event::Claim { .. }, true) = (event, accepted) {
        assert_eq!(before.state, TaskState::Queued, "a second live lease");
        assert!(after.lease > before.lease, "a claim without a new lease");
    }
    let live = after.state == TaskState::Running;
    assert_eq!(live, after.holder.is_some(), "a holder without a live lease, or none with one");
    if let (Event::Adopt { lease, .. }, true) = (event, accepted) {
        assert_eq!((after.state, after.lease), (TaskState::Running, *lease));
    }
}

/// The execution of a task's last claim.
pub(crate) fn execution(task: &TaskRecord) -> Held {
    Held { task: task.id, lease: task.lease }
}
