//! Both stores, side by side: each does what the model says, and the file what the reference
//! says.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use taskfleet_core::{
    TaskId, Timestamp,
    machine::Refusal,
    queue::LaneRead,
    task::{TaskRecord, TaskState},
};
use taskfleet_store::{
    Applied, Change, Conflict, Counts, MemoryStore, NewTask, OutcomeFilter, SqliteOptions,
    SqliteStore, Store, SubmitError, Submitted, TaskDetail,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    event::receipt,
    fleet::{Accepted, Call, Fleet},
    promises::Promises,
    reads,
    system::{System, Work, compare},
    task::Task,
};
use crate::harness::WHOLE;

/// More than there is of anything.
const ALL: usize = 10_000;

pub(super) struct Stores {
    memory: MemoryStore,
    /// None only while it is opened again.
    file: Option<SqliteStore>,
    promises: [Promises; 2],
    runtime: Runtime,
    // After the store, which has its file in it.
    directory: TempDir,
}

impl System for Stores {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = open(&directory, Fleet::default().now);
        let memory = MemoryStore::new(file.identity());
        let promises = Default::default();
        Self { memory, file: Some(file), promises, runtime, directory }
    }

    fn take(&mut self, fleet: &Fleet) {
        for (now, call) in &fleet.calls {
            if let Call::Reopen(_) = call {
                self.reopen(*now);
            }
            self.both(|store| make(store, call, *now));
        }
        let [memory, file] = self.both(|store| look(store, fleet));
        for (promises, records) in self.promises.iter_mut().zip([&memory, &file]) {
            for (record, task) in records.iter().zip(fleet.kept()) {
                promises.look_at(record, task.displaced);
            }
        }
        assert_eq!(file, memory, "the file, and what the reference says");
    }

    fn work(&self, now: Timestamp) -> Work {
        let [memory, file] = self.both(|store| work(store, now));
        assert_eq!(file, memory, "the file, and what the reference says");
        file
    }

    fn compare_at_the_end(&self, fleet: &Fleet) {
        let ids = fleet.tasks.iter().map(|task| task.id).collect::<Vec<_>>();
        let compared = reads::compare(&self.memory, self.file(), &ids, fleet.now);
        self.runtime.block_on(compared);
    }

    fn clear(self, now: Timestamp) {
        for _ in 0..ALL {
            let [memory, file] = self.both(|store| prune_some(store, now));
            assert_eq!(file, memory, "the file, and what the reference says");
            if file == (vec![], 0) {
                return assert_eq!(self.file().counts(), Counts::default());
            }
        }
        panic!("ended tasks are left");
    }
}

impl Stores {
    fn file(&self) -> &dyn Store {
        self.file.as_ref().expect("it is open")
    }

    /// The answers of the reference and of the file. What goes wrong says in which of them.
    fn both<'a, T, F: Future<Output = T>>(&'a self, ask: impl Fn(&'a dyn Store) -> F) -> [T; 2] {
        let stores = [("in memory", &self.memory as &dyn Store), ("in the file", self.file())];
        stores.map(|(place, store)| {
            let asked = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(ask(store))));
            asked.unwrap_or_else(|panic| panic!("{place}: {}", words(&*panic)))
        })
    }

    fn reopen(&mut self, now: Timestamp) {
        self.memory = self.memory.reopen(now);
        drop(self.file.take());
        self.file = Some(open(&self.directory, now));
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

fn open(directory: &TempDir, now: Timestamp) -> SqliteStore {
    let path = directory.path().join("tasks.db");
    SqliteStore::open(SqliteOptions { path, now, random: [1; 16] }).unwrap()
}

/// Makes the call and compares its answer.
async fn make(store: &dyn Store, call: &Call, now: Timestamp) {
    match call {
        Call::Submit(tasks, answer) => submit(store, tasks, answer, now).await,
        Call::Apply(changes, answers) => apply(store, changes, answers, now).await,
        Call::Prune(time, due) => {
            let page = store.ended_by(*time, 0, ALL).await.unwrap();
            assert_eq!((&page.due, page.more_after), (due, None));
            assert_eq!(store.remove(due.clone(), ALL).await, Ok(due.len()));
        }
        Call::Reopen(epoch) => assert_eq!(store.identity().epoch, *epoch),
    }
}

async fn submit(
    store: &dyn Store,
    tasks: &[NewTask],
    answer: &Result<Vec<Accepted>, Vec<Conflict>>,
    now: Timestamp,
) {
    match (store.submit(tasks.to_vec(), now).await, answer) {
        (Ok(submitted), Ok(expected)) => {
            assert_eq!(submitted.len(), expected.len());
            for (submitted, expected) in submitted.iter().zip(expected) {
                same_task(submitted, expected);
            }
        }
        (Err(SubmitError::Conflicts(conflicts)), Err(expected)) => assert_eq!(&conflicts, expected),
        (answer, expected) => panic!("{answer:?}, expected: {}", expected.is_ok()),
    }
}

fn same_task(submitted: &Submitted, expected: &Accepted) {
    match (submitted, expected) {
        (Submitted::New(record), Accepted::New(task)) => compare(record, task),
        (Submitted::Existing { id, state }, Accepted::Existing(first, is)) => {
            assert_eq!((id, state), (first, is));
        }
        (_, Accepted::New(task)) => panic!("{submitted:?} though {} is new", task.id),
        (_, Accepted::Existing(first, _)) => panic!("{submitted:?} though {first} has its key"),
    }
}

async fn apply(
    store: &dyn Store,
    changes: &[Change],
    answers: &[Result<Task, Refusal>],
    now: Timestamp,
) {
    let applied = store.apply(changes.to_vec(), now).await.unwrap();
    assert_eq!(applied.len(), answers.len());
    for ((applied, answer), change) in applied.iter().zip(answers).zip(changes) {
        match (applied, answer) {
            (Ok(applied), Ok(task)) => done(applied, task),
            (Err(refusal), Err(expected)) => assert_eq!(refusal, expected, "{change:?}"),
            (applied, Ok(_)) => panic!("{change:?} is to be done: {applied:?}"),
            (applied, Err(refusal)) => panic!("{change:?} is to be {refusal:?}: {applied:?}"),
        }
    }
}

fn done(applied: &Applied, task: &Task) {
    compare(&applied.record, task);
    let ended = task.state.is_terminal();
    assert_eq!(applied.outcome, task.outcome.filter(|_| ended), "the outcome's number");
}

/// What is due of a few, and how many of them so few rows took out.
async fn prune_some(store: &dyn Store, now: Timestamp) -> (Vec<TaskId>, usize) {
    let due = store.ended_by(now, 0, 3).await.unwrap().due;
    let removed = store.remove(due.clone(), 9).await.unwrap();
    (due, removed)
}

/// Compares all that can be seen of the model's tasks with it, and answers with the records.
async fn look(store: &dyn Store, fleet: &Fleet) -> Vec<TaskRecord> {
    assert_eq!(store.counts(), fleet.counts());
    assert_eq!(store.totals(), fleet.totals);
    assert_eq!(store.last_outcome(), fleet.last_outcome);
    let mut records = Vec::new();
    for task in &fleet.tasks {
        let detail = store.task(task.id, WHOLE).await.unwrap();
        assert_eq!(detail.is_none(), task.pruned, "{} is there until it is pruned", task.id);
        if let Some(detail) = detail {
            whole(&detail, task);
            records.push(detail.record);
        }
    }
    live_leases(store, fleet).await;
    outcomes(store, fleet).await;
    records
}

/// Record, history and result.
fn whole(detail: &TaskDetail, task: &Task) {
    compare(&detail.record, task);
    let history = detail.attempts.iter().map(|line| (line.lease, line.end)).collect::<Vec<_>>();
    let expected = task.history.iter().map(|(lease, end)| (*lease, *end)).collect::<Vec<_>>();
    assert_eq!(history, expected, "how the leases of {} ended", task.id);
    assert_eq!(detail.result.is_some(), task.state.is_terminal());
    let payload = detail.result.as_ref().and_then(|result| result.payload.as_ref());
    let completed = task.state == TaskState::Completed;
    let expected = completed.then(|| receipt(task.id, task.lease()));
    assert!(payload == expected.as_ref(), "another lease's result stands in {}", task.id);
    assert_eq!(detail.meta.retry_of, task.draft.retry_of);
}

/// At most one of each task, and none of one that has ended.
async fn live_leases(store: &dyn Store, fleet: &Fleet) {
    let running = store.running().await.unwrap();
    let running = running.iter().map(|running| (running.id, running.lease)).collect::<Vec<_>>();
    let is_live = |task: &&Task| task.state == TaskState::Running;
    let expected = fleet.kept().filter(is_live).map(|task| (task.id, task.lease()));
    assert_eq!(running, expected.collect::<BTreeMap<_, _>>().into_iter().collect::<Vec<_>>());
}

/// Each task's outcome once, with its number.
async fn outcomes(store: &dyn Store, fleet: &Fleet) {
    let page = store.outcomes(OutcomeFilter::default(), 0, ALL, 0).await.unwrap();
    let outcomes = page.outcomes.iter().map(|(number, task)| (*number, task.record.id));
    let numbered = |task: &Task| Some((task.outcome?, task.id));
    let expected = fleet.kept().filter_map(numbered).collect::<BTreeMap<_, _>>();
    assert_eq!(outcomes.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
    assert_eq!(page.seen, fleet.last_outcome);
}

/// By the reads that a supervisor makes.
async fn work(store: &dyn Store, now: Timestamp) -> Work {
    let overdue = store.overdue(now, ALL).await.unwrap();
    let running = store.running().await.unwrap().into_iter().map(|running| running.id);
    let running = running.filter(|id| !overdue.contains(id)).collect();
    let lanes = store.lanes(None, ALL).await.unwrap();
    let read = |lane| LaneRead { lane, from: None, limit: ALL, due_after: None, due_limit: ALL };
    let rows = store.ready(lanes.into_iter().map(read).collect(), now).await.unwrap();
    let next_due = rows.iter().filter_map(|rows| rows.next_due).min();
    let ready = rows.into_iter().flat_map(|rows| rows.fresh.into_iter().chain(rows.due));
    let ready = ready.map(|record| record.id).filter(|id: &TaskId| !overdue.contains(id));
    Work { ready: ready.collect(), overdue, running, next_due }
}
