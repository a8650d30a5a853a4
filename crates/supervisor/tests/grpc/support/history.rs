//! Tasks with a past: what workers would have made of them, written straight into the store.

use std::{sync::Arc, time::Duration};

use taskfleet_core::{
    BootId, Lease, TaskId, Timestamp,
    failure::{Delivery, FailureKind},
    machine::Event,
    outcome::{Call, End, Failure, Outcome, Payload, Usage},
    retry::Jitter,
    task::{Content, Holder, TaskSpec, Work},
};
use taskfleet_runtime::Clock;
use taskfleet_store::{Change, NewTask, Store, Submitted};

/// The time by the machine's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_millis(Clock::system().unix_millis())
}

/// One task and what happens to it; its worker is "worker-1".
pub(crate) struct History {
    store: Arc<dyn Store>,
    pub(crate) id: TaskId,
    lease: Lease,
    now: Timestamp,
}

impl History {
    /// A task that worker 1 was given an hour ago.
    pub(crate) async fn running(store: &Arc<dyn Store>, number: u32, spec: TaskSpec) -> Self {
        let began = Timestamp::from_unix_millis(now().unix_millis() - 3_600_000);
        let mut random = [0; 10];
        random[6..].copy_from_slice(&number.to_be_bytes());
        let id = TaskId::new(began, random);
        let claim = Some(holder());
        let task = NewTask { id, spec: Arc::new(spec), digest: [0; 32], claim };
        let submitted = store.submit(vec![task], began).await.unwrap().remove(0);
        let Submitted::New(record) = submitted else { panic!("the id is new") };
        Self { store: store.clone(), id, lease: record.lease, now: began }
    }

    pub(crate) fn spec(text: &str) -> TaskSpec {
        TaskSpec::new(Work::Content(Content { text: text.to_owned(), ..Content::default() }))
    }

    /// It happens, ten seconds later.
    pub(crate) async fn then(mut self, event: impl FnOnce(Lease) -> Event) -> Self {
        self.now = self.now + Duration::from_secs(10);
        self.apply(event(self.lease)).await;
        self
    }

    /// Its worker takes it again, when its backoff is over.
    pub(crate) async fn claimed_again(mut self) -> Self {
        self.now = self.now + Duration::from_secs(600);
        let epoch = self.store.identity().epoch;
        self.apply(Event::Claim { holder: holder(), epoch }).await;
        self
    }

    async fn apply(&mut self, event: Event) {
        let change = Change { task: self.id, event, jitter: Jitter::new(0.0) };
        let applied = self.store.apply(vec![change], self.now).await.unwrap().remove(0);
        self.lease = applied.unwrap().record.lease;
    }

    pub(crate) fn completed(text: &str) -> impl FnOnce(Lease) -> Event {
        let end = End::Completed(Payload::Text(text.to_owned()));
        move |lease| Event::Ended { lease, outcome: Outcome { end, call: call(200) } }
    }

    pub(crate) fn failed(kind: FailureKind, status: u16) -> impl FnOnce(Lease) -> Event {
        let message = format!("the provider said {status}");
        let end = End::Failed(Failure::new(kind, message));
        move |lease| Event::Ended { lease, outcome: Outcome { end, call: call(status) } }
    }

    pub(crate) fn released(lease: Lease) -> Event {
        let outcome = Outcome { end: End::Released, call: Call::new(Delivery::NotSent) };
        Event::Ended { lease, outcome }
    }
}

fn holder() -> Holder {
    let boot_id = BootId::from_bytes([1; 16]);
    Holder { boot_id, name: "worker-1".to_owned(), address: "127.0.0.1:1".to_owned() }
}

fn call(status: u16) -> Call {
    Call {
        http_status: Some(status),
        provider_request_id: format!("req-{status}"),
        usage: Some(Usage {
            input_tokens: 7,
            output_tokens: 3,
            total_tokens: 10,
            ..Usage::default()
        }),
        ..Call::new(Delivery::Answered)
    }
}
