//! A store in a file, and tasks that go through it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use taskfleet_core::{
    BootId, Lease, TaskId, Timestamp,
    failure::Delivery,
    machine::Event,
    outcome::{Call, End, Outcome, Payload},
    retry::Jitter,
    task::{Content, Holder, TaskSpec, Work},
};
use taskfleet_store::{Change, NewTask, SqliteOptions, SqliteStore, Store, Submitted};
use tokio::runtime::{Builder, Runtime};

/// A store of its own for each measurement.
pub(crate) struct Ground {
    store: SqliteStore,
    runtime: Runtime,
    ids: AtomicU32,
    // After the store, which has its file in it.
    _directory: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tasks.db");
        let store = SqliteStore::open(SqliteOptions { path, now: now(), random: [1; 16] }).unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        Self { store, runtime, ids: AtomicU32::new(0), _directory: directory }
    }

    /// So many new tasks that wait, in one command.
    pub(crate) fn queued(&self, tasks: usize) -> Vec<TaskId> {
        let tasks = (0..tasks).map(|_| self.task()).collect();
        let submitted = self.runtime.block_on(self.store.submit(tasks, now())).unwrap();
        submitted.iter().map(Submitted::id).collect()
    }

    /// So many new tasks that have completed, each step of all in one command.
    pub(crate) fn settled(&self, tasks: usize) -> Vec<TaskId> {
        let tasks = self.queued(tasks);
        let epoch = self.store.identity().epoch;
        let claim = |_| Event::Claim { holder: holder(), epoch };
        let leases = self.apply(&tasks, claim);
        self.apply(&tasks, |number| completed(leases[number]));
        tasks
    }

    pub(crate) fn remove(&self, tasks: Vec<TaskId>) {
        let count = tasks.len();
        let removed = self.runtime.block_on(self.store.remove(tasks, usize::MAX));
        assert_eq!(removed.unwrap(), count);
    }

    fn apply(&self, tasks: &[TaskId], event: impl Fn(usize) -> Event) -> Vec<Lease> {
        let change = |(number, task): (usize, &TaskId)| Change {
            task: *task,
            event: event(number),
            jitter: Jitter::new(1.0),
        };
        let changes = tasks.iter().enumerate().map(change).collect();
        let applied = self.runtime.block_on(self.store.apply(changes, now())).unwrap();
        applied.into_iter().map(|applied| applied.unwrap().record.lease).collect()
    }

    fn task(&self) -> NewTask {
        let text = "Say in one sentence what a write-ahead log is for.".to_owned();
        let work = Work::Content(Content { text, ..Content::default() });
        let spec = TaskSpec {
            tenant: "tenant".to_owned(),
            group: "group".to_owned(),
            deadline: Duration::from_hours(24),
            ..TaskSpec::new(work)
        };
        let mut random = [0; 10];
        random[2..6].copy_from_slice(&self.ids.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        NewTask {
            id: TaskId::new(now(), random),
            spec: Arc::new(spec),
            digest: [0; 32],
            claim: None,
        }
    }
}

const fn now() -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000)
}

fn holder() -> Holder {
    let boot_id = BootId::from_bytes([1; 16]);
    Holder { boot_id, name: "worker-1".to_owned(), address: "10.0.0.1:50052".to_owned() }
}

fn completed(lease: Lease) -> Event {
    let text = "It makes what was answered outlast a crash.".to_owned();
    let end = End::Completed(Payload::Text(text));
    Event::Ended { lease, outcome: Outcome { end, call: Call::new(Delivery::Answered) } }
}
