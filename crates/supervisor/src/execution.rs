//! Drives one execution: calls ProcessTask, follows its stream over broken connections, and
//! carries the verdict to the store and back to the worker.

mod follow;
mod published;
mod refusal;
mod words;

use std::{sync::Arc, time::Duration};

use taskfleet_core::{
    Instant,
    adoption::Held,
    failure::{Delivery, FailureKind},
    machine::Event,
    outcome::{End, Outcome},
    task::{TaskRecord, TaskSpec},
};
use taskfleet_proto::{
    read_outcome,
    worker::{TaskRequest, TaskResponse, worker_service_client::WorkerServiceClient},
    write_work,
};
use taskfleet_runtime::{
    patience::answer_within,
    trace,
    transport::{Link, MAX_MESSAGE_BYTES},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{
    board::Slot,
    engine::Engine,
    executions::NotBegun,
    fleet::{Member, Verdict},
    hub::Feed,
    spans,
};

/// The first message says that the work has begun; without it, the request may lie anywhere.
const FIRST_MESSAGE_WITHIN: Duration = Duration::from_secs(5);
/// How long after an attempt's time the worker may still say that it was over.
const SLACK: Duration = Duration::from_secs(10);
/// How long an outcome is still looked for when even that was not enough.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// How long a stopping supervisor waits for calls that end with it; within its grace for
/// settling.
const LAST_MOMENT: Duration = Duration::from_secs(2);
/// Streams that may break on a living connection before it counts as an attempt.
const STRIKES: u32 = 3;

/// What is known in the end.
enum Ending {
    /// The worker said how it ended.
    Ended(Outcome),
    /// It is certain that it never started.
    NotStarted,
    /// It never started, for another supervisor serves the worker.
    TakenBack,
    /// The worker is gone; with it the answer, if the request was sent.
    Gone,
    /// The worker is gone, and with it the answer.
    Lost,
    /// It is over by other means: cancelled, expired, or claimed anew.
    Abandoned,
    /// This supervisor stops or stands back: its successor adopts what runs.
    Left,
}

/// How one stream ended.
enum StreamEnd {
    Known(Ending),
    /// The connection or the stream broke; the execution may go on.
    Broken,
}

struct Execution {
    engine: Arc<Engine>,
    member: Arc<Member>,
    record: TaskRecord,
    held: Held,
    feed: Arc<Feed>,
    /// When this process began to follow it.
    began: Instant,
    /// The request may have reached the worker: from now on only attach.
    sent: bool,
    /// What a worker may still send on a stream whose outcome is known.
    rest: Option<published::Rest>,
}

impl Engine {
    /// Starts a task that was just claimed.
    pub(crate) fn start(self: &Arc<Self>, record: &TaskRecord, spec: Arc<TaskSpec>, slot: Slot) {
        self.metrics.claimed(record);
        let boot_id = slot.holder.boot_id;
        let Some(member) = self.fleet.member(boot_id) else {
            let (engine, held) = (self.clone(), held(record));
            self.tasks.spawn(async move {
                let event = Event::NotStarted { lease: held.lease };
                engine.apply_surely(vec![engine.change(held.task, event)]).await;
            });
            return;
        };
        // What has not begun was not sent: nobody has to be told that it is over.
        let _ = self.drive(&member, record, Some(spec), slot);
    }

    fn drive(
        self: &Arc<Self>,
        member: &Arc<Member>,
        record: &TaskRecord,
        spec: Option<Arc<TaskSpec>>,
        slot: Slot,
    ) -> Result<(), NotBegun> {
        let held = held(record);
        let abandoned = self.executions.begin(held)?;
        let driving = Driving { engine: self.clone(), held };
        let untraced = |spec: &Arc<TaskSpec>| spans::is_untraced(held.task, spec.trace.as_ref());
        if trace::is_on() && spec.as_ref().is_some_and(untraced) {
            self.executions.leave_untraced(held);
        }
        // Its feed may have been forgotten since the claim, or never have been made.
        self.hub.publish(record);
        let execution = Execution {
            engine: self.clone(),
            member: member.clone(),
            feed: self.hub.feed(record.id),
            record: record.clone(),
            held,
            began: Instant::from_micros(self.time.micros()),
            sent: spec.is_none(),
            rest: None,
        };
        self.tasks.spawn(execution.run(spec, slot, abandoned, driving));
        Ok(())
    }
}

/// An execution has a driver as long as this lives; a panic ends it too, and then the sweep
/// finds the execution.
struct Driving {
    engine: Arc<Engine>,
    held: Held,
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.engine.executions.end(self.held);
    }
}

fn held(record: &TaskRecord) -> Held {
    Held { task: record.id, lease: record.lease }
}

impl Execution {
    async fn run(
        mut self,
        spec: Option<Arc<TaskSpec>>,
        slot: Slot,
        abandoned: CancellationToken,
        driving: Driving,
    ) {
        let (engine, member) = (self.engine.clone(), self.member.clone());
        let ending = tokio::select! {
            biased;
            () = abandoned.cancelled() => Ending::Abandoned,
            ending = self.follow(spec) => ending,
            () = member.gone() => Ending::Gone,
            () = left_alone(&engine, &member) => Ending::Left,
        };
        // The worker's slot is free when its call has ended, before that is on disk.
        let rest = self.rest.take();
        let free = async {
            published::end(rest).await;
            drop(slot);
        };
        tokio::join!(free, self.conclude(ending));
        drop(driving);
    }

    async fn conclude(&self, ending: Ending) {
        let lease = self.held.lease;
        match ending {
            Ending::Ended(outcome) => self.settle(outcome).await,
            Ending::TakenBack => self.report(Event::TakenBack { lease }).await,
            Ending::Gone | Ending::Lost if self.engine.stands_back() => self.stand_back().await,
            Ending::NotStarted => self.report(Event::NotStarted { lease }).await,
            Ending::Gone if !self.sent => self.report(Event::NotStarted { lease }).await,
            Ending::Gone | Ending::Lost => self.report(Event::Lost { lease }).await,
            Ending::Abandoned => self.tell_worker(Verdict::Stale).await,
            Ending::Left => {}
        }
    }

    /// Who serves the worker now may know more of it.
    async fn stand_back(&self) {
        if !self.sent {
            self.report(Event::TakenBack { lease: self.held.lease }).await;
        }
    }

    async fn settle(&self, mut outcome: Outcome) {
        if let End::Failed(failure) = &mut outcome.end {
            failure.message = words::clean(&failure.message, self.key());
        }
        self.member.judge(&self.engine, &outcome, self.began);
        self.engine.metrics.used(&outcome.call);
        let event = Event::Ended { lease: self.held.lease, outcome };
        let change = self.engine.change(self.held.task, event);
        let verdict = match self.engine.apply_as_driver(change).await.as_deref() {
            Some([Ok(_)]) => Verdict::Settled,
            Some(_) => {
                self.engine.metrics.stale();
                Verdict::Stale
            }
            None => return,
        };
        self.tell_worker(verdict).await;
    }

    /// The worker may have been given up and have come back since.
    async fn tell_worker(&self, verdict: Verdict) {
        if self.record.lease_borrowed {
            return; // Whoever gave it out finds it there.
        }
        let known = self.engine.fleet.member(self.member.boot_id);
        known.as_ref().unwrap_or(&self.member).settle(self.held, verdict).await;
    }

    async fn report(&self, event: Event) {
        self.engine.apply_as_driver(self.engine.change(self.held.task, event)).await;
    }

    /// Follows the execution from stream to stream.
    async fn follow(&mut self, spec: Option<Arc<TaskSpec>>) -> Ending {
        if self.member.is_published_only() {
            return self.call_published(spec).await;
        }
        let mut spec = spec;
        let mut strikes = 0;
        while strikes < STRIKES {
            let Some(link) = self.member.link().await else { return Ending::Gone };
            match self.stream(&link, &mut spec).await {
                StreamEnd::Known(ending) => return ending,
                // The worker is being dialled anew: it comes back, or is declared lost.
                StreamEnd::Broken if closes_soon(&link).await => {}
                StreamEnd::Broken => strikes += 1,
            }
        }
        let message = "the stream broke again and again on a living connection";
        Ending::Ended(Outcome::failed(FailureKind::Internal, Delivery::Sent, message))
    }

    /// Starts the execution or attaches to it, and follows it as long as this stream lasts.
    async fn stream(&mut self, link: &Link, spec: &mut Option<Arc<TaskSpec>>) -> StreamEnd {
        let Ok(permit) = self.member.starts.acquire().await else { return StreamEnd::Broken };
        if link.is_closed() {
            return StreamEnd::Broken;
        }
        let request = self.request(spec.as_deref());
        let attaching = std::mem::replace(&mut self.sent, true);
        let opening = open(link, request);
        let opened = answer_within(FIRST_MESSAGE_WITHIN, opening).await;
        drop(permit);
        let (messages, first) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(status)) => return self.refused(&status, attaching),
            // It may lie anywhere. Attaching finds out: what is not there is forbidden to
            // start, and what runs goes on. A cancel would waste a call that was paid.
            Err(_) => return self.unacknowledged(),
        };
        if spec.take().is_some() {
            // The worker has it: the prompt is not needed again.
            let now = Instant::from_micros(self.engine.time.micros());
            self.engine.metrics.started(self.began, now);
        }
        let limit = self.record.remaining_attempt_time(self.engine.time.now()) + SLACK;
        let mut reading = std::pin::pin!(self.read(messages, first));
        if let Ok(end) = tokio::time::timeout(limit, &mut reading).await {
            return end;
        }
        // If this process stood still meanwhile, the outcome lies in its sockets.
        let late = answer_within(LAST_CHANCE, reading).await;
        late.unwrap_or_else(|_| {
            let message = "the worker did not end the attempt when its time was over";
            let outcome = Outcome::failed(FailureKind::Timeout, Delivery::Sent, message);
            StreamEnd::Known(Ending::Ended(outcome))
        })
    }

    fn unacknowledged(&self) -> StreamEnd {
        tracing::warn!(
            task = %self.held.task,
            worker = self.member.name(),
            "a worker did not acknowledge a task in time"
        );
        StreamEnd::Broken
    }

    fn request(&self, spec: Option<&TaskSpec>) -> TaskRequest {
        let caller = &self.engine.caller;
        let remaining = self.record.remaining_attempt_time(self.engine.time.now());
        let mut request = TaskRequest {
            task_id: self.held.task.to_string(),
            store_id: caller.store_id.clone(),
            supervisor_id: caller.supervisor_id.clone(),
            epoch: caller.epoch,
            boot_id: self.member.boot_id.to_string(),
            lease: self.held.lease.number(),
            attach_only: self.sent,
            from_offset: self.feed.text_len(self.held.lease) as u64,
            remaining_ms: taskfleet_core::time::whole_millis(remaining).max(1),
            ..TaskRequest::default()
        };
        if let Some(spec) = spec.filter(|_| !self.sent) {
            write_work(&mut request, &spec.work);
            request.api_key = self.engine.key_for(&self.member);
            request.limit_key = spec.limit_key.clone().unwrap_or_default();
            if let Some(trace) = spans::for_worker(self.held, spec.trace.as_ref()) {
                request.traceparent = trace.traceparent;
                request.tracestate = trace.tracestate;
            }
        }
        request
    }

    async fn read(&self, mut messages: Streaming<TaskResponse>, first: TaskResponse) -> StreamEnd {
        let mut message = first;
        loop {
            self.member.hear(self.engine.time.micros());
            if !self.is_meant(&message) || !self.keep_text(&message) {
                return StreamEnd::Broken;
            }
            if let Some(outcome) = read_outcome(message) {
                return StreamEnd::Known(Ending::Ended(outcome));
            }
            message = match messages.message().await {
                Ok(Some(next)) => next,
                Ok(None) => return StreamEnd::Broken,
                Err(status) => return refusal::after_first(&status, self.key()),
            };
        }
    }

    /// A message is valid by its task and lease alone.
    fn is_meant(&self, message: &TaskResponse) -> bool {
        let same_task = message.task_id.parse() == Ok(self.held.task);
        same_task && message.lease == self.held.lease.number()
    }

    /// False when text is missing, which attaching again brings.
    fn keep_text(&self, message: &TaskResponse) -> bool {
        let Ok(offset) = usize::try_from(message.offset) else { return false };
        message.delta.is_empty() || self.feed.text(self.held.lease, offset, &message.delta).is_ok()
    }
}

async fn open(
    link: &Link,
    request: TaskRequest,
) -> Result<(Streaming<TaskResponse>, TaskResponse), Status> {
    let mut client = WorkerServiceClient::new(link.channel())
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let mut messages = client.process_task(request).await?.into_inner();
    match messages.message().await? {
        Some(first) => Ok((messages, first)),
        None => Err(Status::internal("the stream ended without a message")),
    }
}

/// Waits until this supervisor stops and what runs is left to its successor. Nothing that
/// lives by our connection outlives us: it gets a moment to end.
async fn left_alone(engine: &Engine, member: &Member) {
    engine.tasks.stopping().await;
    if member.is_published_only() {
        tokio::time::sleep(LAST_MOMENT).await;
    }
}

/// Whether the whole connection is gone, rather than this one stream.
async fn closes_soon(link: &Link) -> bool {
    answer_within(Duration::from_millis(500), link.closed()).await.is_ok()
}
