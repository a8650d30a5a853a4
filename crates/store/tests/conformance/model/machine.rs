//! Core's machine alone: no store decides or forgets anything.

use std::collections::BTreeMap;

use taskfleet_core::{
    Epoch, TaskId, Timestamp,
    machine::{self, Event, Refusal},
    retry::Jitter,
    task::{TaskRecord, TaskState},
};
use taskfleet_store::{Change, NewTask};

use super::{
    fleet::{Accepted, Call, Fleet},
    promises::Promises,
    system::{System, Work, compare},
    task::Task,
};

pub(super) struct Machine {
    epoch: Epoch,
    tasks: BTreeMap<TaskId, TaskRecord>,
    promises: Promises,
}

impl System for Machine {
    fn new() -> Self {
        let epoch = Fleet::default().epoch;
        Self { epoch, tasks: BTreeMap::new(), promises: Promises::default() }
    }

    fn take(&mut self, fleet: &Fleet) {
        for (now, call) in &fleet.calls {
            match call {
                // Which of them are new is not the machine's to know.
                Call::Submit(tasks, Ok(accepted)) => {
                    let tasks = tasks.iter().zip(accepted);
                    tasks.for_each(|(new, accepted)| self.accept(new, accepted, *now));
                }
                Call::Submit(_, Err(_)) => {}
                Call::Apply(changes, answers) => {
                    let changes = changes.iter().zip(answers);
                    changes.for_each(|(change, answer)| self.apply(change, answer, *now));
                }
                Call::Prune(_, due) => self.tasks.retain(|id, _| !due.contains(id)),
                Call::Reopen(epoch) => self.epoch = *epoch,
            }
        }
        self.compare(fleet);
    }

    fn work(&self, now: Timestamp) -> Work {
        let open = || self.tasks.values().filter(|task| !task.state.is_terminal());
        let overdue = open().filter(|task| task.deadline <= now).map(|task| task.id).collect();
        let running = open().filter(|task| task.state == TaskState::Running && now < task.deadline);
        let running = running.map(|task| task.id).collect();
        let ready = open().filter(|task| task.is_ready(now)).map(|task| task.id).collect();
        let due = open().filter_map(|task| task.not_before);
        Work { overdue, running, ready, next_due: due.filter(|due| *due > now).min() }
    }
}

impl Machine {
    fn accept(&mut self, new: &NewTask, accepted: &Accepted, now: Timestamp) {
        let Accepted::New(task) = accepted else { return };
        let mut record = new.spec.record(new.id, now);
        if let Some(holder) = new.claim.clone() {
            let claim = Event::Claim { holder, epoch: self.epoch };
            machine::apply(&mut record, &claim, now, Jitter::new(1.0)).unwrap();
        }
        compare(&record, task);
        self.tasks.insert(new.id, record);
    }

    fn apply(&mut self, change: &Change, answer: &Result<Task, Refusal>, now: Timestamp) {
        let Change { task, event, jitter } = change;
        let Some(record) = self.tasks.get_mut(task) else {
            return assert_eq!(answer, &Err(Refusal::Unknown));
        };
        let before = record.clone();
        match (machine::apply(record, event, now, *jitter), answer) {
            (Ok(_), Ok(task)) => {
                compare(record, task);
                self.promises.look_at(record, task.displaced);
            }
            (Err(refusal), Err(expected)) => {
                assert_eq!(refusal, *expected, "{event:?}");
                assert_eq!(*record, before, "a refused {event:?} changed the task");
            }
            (Ok(_), Err(expected)) => panic!("{event:?} is to be {expected:?}: {record:?}"),
            (Err(refusal), Ok(_)) => panic!("{event:?} is to be done: {refusal:?}: {record:?}"),
        }
    }

    fn compare(&self, fleet: &Fleet) {
        assert_eq!(self.tasks.len(), fleet.kept().count());
        for task in fleet.kept() {
            compare(&self.tasks[&task.id], task);
        }
    }
}
