//! The spans of tasks and their executions, computed from what is stored: a supervisor that
//! was restarted in between writes the same ones as one that was not.
//!
//! A task's span stands under its client's, from its acceptance to its end; each execution's
//! under the task's, from claim to end; the worker's under the execution's.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use taskfleet_core::{
    Lease, TaskId,
    adoption::Held,
    machine::LeaseEnd,
    task::{TaskRecord, TaskState, TraceContext},
};
use taskfleet_runtime::trace::{self, Attribute, Kind, Place, Span};
use taskfleet_store::{Applied, Attempt};
use tokio::sync::Semaphore;

use crate::engine::Engine;

/// Ends whose spans may wait for the store; those on top go without.
static WRITING: Semaphore = Semaphore::const_new(1_024);

/// Where a task stands.
struct Standing {
    client: Option<Place>,
    task: Place,
}

impl Standing {
    fn of(task: TaskId, said: Option<&TraceContext>) -> Option<Self> {
        let client = said.and_then(|said| Place::read(&said.traceparent, &said.tracestate));
        let (root, span) = ids(task, Lease::NONE);
        let task = Place::under(client.as_ref(), root, span)?;
        Some(Self { client, task })
    }

    fn execution(&self, task: TaskId, lease: Lease) -> Option<Place> {
        let (root, span) = ids(task, lease);
        Place::under(Some(&self.task), root, span)
    }
}

/// A trace id of the task's own and a span id of the lease's own; no lease: the task's.
fn ids(task: TaskId, lease: Lease) -> ([u8; 16], [u8; 8]) {
    let (mut root, mut span) = ([0; 16], [0; 8]);
    root.copy_from_slice(&Sha256::digest(task.as_bytes())[..16]);
    let mut hash = Sha256::new_with_prefix(task.as_bytes());
    hash.update(lease.number().to_be_bytes());
    span.copy_from_slice(&hash.finalize()[..8]);
    (root, span)
}

/// What an execution's worker is told: where the execution stands, or the client when no spans
/// are written here.
pub(crate) fn for_worker(held: Held, said: Option<&TraceContext>) -> Option<TraceContext> {
    if !trace::is_on() {
        return said.cloned();
    }
    let place = Standing::of(held.task, said)?.execution(held.task, held.lease)?;
    Some(TraceContext { traceparent: place.traceparent(), tracestate: place.tracestate() })
}

/// Whether nobody will see spans of this task: asked when all that the sampler goes by is at
/// hand anyway.
pub(crate) fn is_untraced(task: TaskId, said: Option<&TraceContext>) -> bool {
    Standing::of(task, said).is_none_or(|standing| !standing.task.is_sampled())
}

impl Engine {
    /// Writes the spans of what ended with this change, aside.
    pub(crate) fn write_spans(self: &Arc<Self>, applied: &Applied) {
        let ended = applied.ended.map(|ended| ended.lease);
        if !trace::is_on() || (ended.is_none() && applied.outcome.is_none()) {
            return;
        }
        // Its driver has asked the sampler already, and nobody reads the store for nothing.
        let task = applied.record.id;
        if ended.is_some_and(|lease| self.executions.is_untraced(Held { task, lease })) {
            return;
        }
        let Ok(permit) = WRITING.try_acquire() else { return };
        let (engine, record) = (self.clone(), applied.record.clone());
        self.tasks.spawn(async move {
            engine.write_spans_of(&record, ended).await;
            drop(permit);
        });
    }

    async fn write_spans_of(&self, record: &TaskRecord, ended: Option<Lease>) {
        let trace = self.store.trace(record.id, ended.unwrap_or(Lease::NONE)).await;
        // What cannot be read now has no spans: the store's trouble is told by who needs it.
        let Ok(Some(trace)) = trace else { return };
        let Some(standing) = Standing::of(record.id, trace.context.as_ref()) else { return };
        if !standing.task.is_sampled() {
            return;
        }
        if let Some(attempt) = trace.attempt {
            write_execution(&standing, record.id, &attempt);
        }
        if record.state.is_terminal() {
            write_task(&standing, record);
        }
    }
}

fn write_execution(standing: &Standing, task: TaskId, attempt: &Attempt) {
    let Some(place) = standing.execution(task, attempt.lease) else { return };
    let failed = (attempt.end != LeaseEnd::Completed)
        .then(|| attempt.kind.map_or(attempt.end.name(), |kind| kind.name()));
    Span {
        name: "execution".into(),
        kind: Kind::Client,
        place: &place,
        parent: Some(&standing.task),
        began_ms: attempt.started_at.unix_millis(),
        ended_ms: attempt.ended_at.unix_millis(),
        attributes: vec![
            Attribute::new("taskfleet.task.id", task.to_string()),
            Attribute::new("taskfleet.lease", number(attempt.lease.number())),
            Attribute::new("taskfleet.worker.name", trace::name(&attempt.worker)),
            Attribute::new("taskfleet.worker.boot_id", attempt.boot_id.to_string()),
            Attribute::new("taskfleet.execution.end", attempt.end.name()),
            Attribute::new("taskfleet.execution.possibly_paid", attempt.possibly_paid),
        ],
        failed,
    }
    .write();
}

fn write_task(standing: &Standing, record: &TaskRecord) {
    let counters = record.counters;
    let failed = (record.state != TaskState::Completed)
        .then(|| record.kind.map_or("cancelled", |kind| kind.name()));
    let began_ms = record.created_at.unix_millis();
    Span {
        name: "task".into(),
        kind: Kind::Server,
        place: &standing.task,
        parent: standing.client.as_ref(),
        began_ms,
        ended_ms: record.finished_at.map_or(began_ms, |at| at.unix_millis()),
        attributes: vec![
            Attribute::new("taskfleet.task.id", record.id.to_string()),
            Attribute::new("taskfleet.task.attempts", i64::from(counters.attempts)),
            Attribute::new("taskfleet.task.worker_losses", i64::from(counters.losses)),
            Attribute::new("taskfleet.task.throttles", i64::from(counters.throttles)),
            Attribute::new("taskfleet.task.requeues", i64::from(counters.requeues)),
        ],
        failed,
    }
    .write();
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
