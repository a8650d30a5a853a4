//! Stores to test, and words to test them in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use taskfleet_core::{
    BootId, Epoch, Lease, StoreId, TaskId, Timestamp,
    failure::{Delivery, FailureKind},
    machine::{Event, Refusal},
    outcome::{Call, End, Failure, Outcome, Payload, Usage},
    retry::Jitter,
    task::{Content, Holder, TaskRecord, TaskSpec, Work},
};
use taskfleet_store::{
    Applied, Attempt, Change, Identity, MemoryStore, NewTask, SqliteOptions, SqliteStore, Store,
    Submitted, TaskDetail,
};

/// More than any result that is not about size.
pub(crate) const WHOLE: usize = usize::MAX;

/// A store of its own for each test.
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    ids: AtomicU32,
    // After the store, which has its file in it.
    _directory: Option<tempfile::TempDir>,
}

pub(crate) fn memory() -> Ground {
    let identity = Identity {
        store: StoreId::from_random([1; 16]),
        epoch: Epoch::new(1_000),
        former: Epoch::new(0),
    };
    let store = Arc::new(MemoryStore::new(identity));
    Ground { store, ids: AtomicU32::new(0), _directory: None }
}

/// With the memory store's epoch, so that leases are equal.
pub(crate) fn sqlite() -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let options = SqliteOptions { path, now: at(0), random: [1; 16] };
    let store = Arc::new(SqliteStore::open(options).unwrap());
    Ground { store, ids: AtomicU32::new(0), _directory: Some(directory) }
}

/// Some seconds after the tests' beginning of time.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + seconds * 1_000)
}

pub(crate) fn holder(n: u8) -> Holder {
    Holder {
        boot_id: BootId::from_bytes([n; 16]),
        name: format!("worker-{n}"),
        address: format!("10.0.0.{n}:50052"),
    }
}

pub(crate) fn content(text: &str) -> TaskSpec {
    TaskSpec::new(Work::Content(Content { text: text.to_owned(), ..Content::default() }))
}

pub(crate) fn keyed(text: &str, key: &str) -> TaskSpec {
    TaskSpec { idempotency_key: Some(key.to_owned()), ..content(text) }
}

pub(crate) fn usage(output_tokens: u64) -> Usage {
    Usage {
        input_tokens: 7,
        output_tokens,
        total_tokens: 7 + output_tokens,
        cached_input_tokens: 2,
        reasoning_tokens: 1,
    }
}

/// A call of which everything is known.
pub(crate) fn full_call(output_tokens: u64) -> Call {
    Call {
        http_status: Some(200),
        provider_request_id: format!("req-{output_tokens}"),
        served_model: "model-2026-11".to_owned(),
        usage: Some(usage(output_tokens)),
        finish_reason: "stop".to_owned(),
        ..Call::new(Delivery::Answered)
    }
}

pub(crate) fn ended(lease: Lease, end: End, call: Call) -> Event {
    Event::Ended { lease, outcome: Outcome { end, call } }
}

pub(crate) fn completed(lease: Lease, text: &str) -> Event {
    ended(lease, End::Completed(Payload::Text(text.to_owned())), full_call(3))
}

pub(crate) fn failed(lease: Lease, kind: FailureKind, message: &str) -> Event {
    let failure = Failure::new(kind, message);
    let call = Call { http_status: Some(500), ..Call::new(Delivery::Answered) };
    ended(lease, End::Failed(failure), call)
}

pub(crate) fn change(task: TaskId, event: Event) -> Change {
    Change { task, event, jitter: Jitter::new(1.0) }
}

impl Ground {
    /// A task to be submitted, with the next id.
    pub(crate) fn task(&self, spec: TaskSpec) -> NewTask {
        let n = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[6..].copy_from_slice(&n.to_be_bytes());
        // Two specs are the same to the store when their caller says so; here: when their
        // work has the same size.
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&spec.work.size_bytes().to_be_bytes());
        NewTask { id: TaskId::new(at(0), random), spec: Arc::new(spec), digest, claim: None }
    }

    pub(crate) async fn submit(&self, tasks: Vec<NewTask>) -> Vec<Submitted> {
        self.store.submit(tasks, at(0)).await.unwrap()
    }

    /// A new task that waits.
    pub(crate) async fn queued(&self, spec: TaskSpec) -> TaskId {
        self.accept(self.task(spec)).await.id
    }

    /// A new task that worker 1 has.
    pub(crate) async fn running(&self, spec: TaskSpec) -> (TaskId, Lease) {
        let task = NewTask { claim: Some(holder(1)), ..self.task(spec) };
        let record = self.accept(task).await;
        (record.id, record.lease)
    }

    async fn accept(&self, task: NewTask) -> TaskRecord {
        match self.submit(vec![task]).await.remove(0) {
            Submitted::New(record) => record,
            Submitted::Existing { id, .. } => panic!("{id} was there before"),
        }
    }

    pub(crate) async fn apply(
        &self,
        task: TaskId,
        event: Event,
        now: Timestamp,
    ) -> Result<Applied, Refusal> {
        self.store.apply(vec![change(task, event)], now).await.unwrap().remove(0)
    }

    /// The lease under which worker `n` has the task from now on.
    pub(crate) async fn claim(&self, task: TaskId, n: u8, now: Timestamp) -> Lease {
        let claim = Event::Claim { holder: holder(n), epoch: self.store.identity().epoch };
        self.apply(task, claim, now).await.unwrap().record.lease
    }

    pub(crate) async fn detail(&self, task: TaskId) -> TaskDetail {
        self.store.task(task, WHOLE).await.unwrap().unwrap()
    }

    pub(crate) async fn attempts(&self, task: TaskId) -> Vec<Attempt> {
        self.detail(task).await.attempts
    }

    pub(crate) async fn spec(&self, task: TaskId) -> TaskSpec {
        let mut specs = self.store.specs(vec![task]).await.unwrap();
        assert_eq!(specs.len(), 1);
        specs.remove(0).1
    }
}

/// Longer than any backoff or deadline of these tests.
pub(crate) const LONG: Duration = Duration::from_secs(3_000_000);
