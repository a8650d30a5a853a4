//! The statements that change rows.

use rusqlite::{CachedStatement, Connection, Result, ToSql, params};
use taskfleet_core::{
    TaskId,
    outcome::Payload,
    task::{TaskRecord, TaskSpec, Work},
};

use crate::{
    sqlite::{
        codes::{delivery, ending, millis, nanos, signed, state, usage},
        rows::{Rest, form},
    },
    tally::Tally,
    types::{Attempt, NewTask, StoredResult},
};

/// Writes a new task.
pub(super) fn insert(to: &Connection, task: &NewTask, record: &TaskRecord) -> Result<()> {
    let seq = insert_spec(to, &task.spec)?;
    insert_hot(to, seq, &task.spec, record)?;
    if let Some(key) = &task.spec.idempotency_key {
        let sql = "INSERT INTO idempotency (key, task_id, digest) VALUES (?1, ?2, ?3)";
        to.prepare_cached(sql)?.execute(params![key, task.id.as_bytes(), task.digest])?;
    }
    insert_labels(to, task)
}

fn insert_spec(to: &Connection, spec: &TaskSpec) -> Result<i64> {
    let (endpoint, body) = match &spec.work {
        Work::Content(content) => (None, &content.text),
        Work::Request(request) => (Some(request.endpoint.path()), &request.body),
    };
    let rest = Rest::of(spec);
    let sql = "INSERT INTO specs (endpoint, parent_id, retry_of, time_limit, labels, rest, body) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    to.prepare_cached(sql)?.insert(params![
        endpoint,
        spec.parent_id.as_ref().map(TaskId::as_bytes),
        spec.retry_of.as_ref().map(TaskId::as_bytes),
        nanos(spec.deadline),
        json(&spec.labels, spec.labels.is_empty())?,
        json(&rest, rest == Rest::default())?,
        body,
    ])
}

/// None where nothing is to be said.
fn json(value: &impl serde::Serialize, empty: bool) -> Result<Option<String>> {
    if empty {
        return Ok(None);
    }
    let json = serde_json::to_string(value);
    json.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn insert_labels(to: &Connection, task: &NewTask) -> Result<()> {
    let sql = "INSERT INTO labels (key, value, task_id) VALUES (?1, ?2, ?3)";
    for (key, value) in &task.spec.labels {
        to.prepare_cached(sql)?.execute(params![key, value, task.id.as_bytes()])?;
    }
    Ok(())
}

fn insert_hot(to: &Connection, seq: i64, spec: &TaskSpec, record: &TaskRecord) -> Result<()> {
    let sql = "INSERT INTO tasks (id, seq, max_attempts, initial_backoff, max_backoff, priority, \
        model, size_bytes, created_at, deadline, attempt_timeout, tenant, grp, client_ref, \
        state, lease, lease_unheard, lease_borrowed, attempts, losses, throttles, requeues, demand, \
        not_before, boot_id, worker, address, claimed_at, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
        ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, \
        ?27, ?28, ?29)";
    let mut bind = Binder::new(to.prepare_cached(sql)?);
    bind.next(record.id.as_bytes())?;
    bind.next(seq)?;
    bind.next(record.retry.max_attempts)?;
    bind.next(nanos(record.retry.initial_backoff))?;
    bind.next(nanos(record.retry.max_backoff))?;
    bind.next(record.priority)?;
    bind.next(record.model.as_deref().unwrap_or_default())?;
    bind.next(signed(record.size_bytes))?;
    bind.next(millis(record.created_at))?;
    bind.next(millis(record.deadline))?;
    bind.next(nanos(record.attempt_timeout))?;
    bind.next(&spec.tenant)?;
    bind.next(&spec.group)?;
    bind.next(&spec.client_ref)?;
    bind.changeable(record)?;
    bind.execute()
}

/// Writes what an event changed. An open task's outcome is not mentioned, so that SQLite
/// leaves the indexes on it alone.
pub(super) fn update(to: &Connection, record: &TaskRecord, outcome: Option<u64>) -> Result<()> {
    macro_rules! changeable {
        () => {
            "UPDATE tasks SET state = ?1, lease = ?2, lease_unheard = ?3, lease_borrowed = ?4, \
            attempts = ?5, losses = ?6, throttles = ?7, requeues = ?8, demand = ?9, \
            not_before = ?10, boot_id = ?11, worker = ?12, address = ?13, claimed_at = ?14, \
            kind = ?15"
        };
    }
    let sql = match outcome {
        None => concat!(changeable!(), " WHERE id = ?16"),
        Some(_) => concat!(changeable!(), ", finished_at = ?16, outcome = ?17 WHERE id = ?18"),
    };
    let mut bind = Binder::new(to.prepare_cached(sql)?);
    bind.changeable(record)?;
    if let Some(outcome) = outcome {
        bind.next(record.finished_at.map(millis))?;
        bind.next(signed(outcome))?;
    }
    bind.next(record.id.as_bytes())?;
    bind.execute()
}

/// Binds one parameter after the other.
struct Binder<'a> {
    statement: CachedStatement<'a>,
    bound: usize,
}

impl<'a> Binder<'a> {
    const fn new(statement: CachedStatement<'a>) -> Self {
        Self { statement, bound: 0 }
    }

    fn next(&mut self, value: impl ToSql) -> Result<()> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)
    }

    /// The columns that events change, in the order in which both statements name them.
    fn changeable(&mut self, record: &TaskRecord) -> Result<()> {
        self.next(state(record.state))?;
        self.next(signed(record.lease.number()))?;
        self.next(record.lease_unheard)?;
        self.next(record.lease_borrowed)?;
        self.next(record.counters.attempts)?;
        self.next(record.counters.losses)?;
        self.next(record.counters.throttles)?;
        self.next(record.counters.requeues)?;
        self.next(record.demand().code())?;
        self.next(record.not_before.map(millis))?;
        let holder = record.holder.as_ref();
        self.next(holder.map(|holder| holder.boot_id.as_bytes()))?;
        self.next(holder.map(|holder| &holder.name))?;
        self.next(holder.map(|holder| &holder.address))?;
        self.next(record.claimed_at.map(millis))?;
        self.next(record.kind.map(taskfleet_core::failure::FailureKind::name))
    }

    fn execute(mut self) -> Result<()> {
        self.statement.raw_execute().map(drop)
    }
}

/// Writes a line of the history, in place of one with the same lease.
pub(super) fn put_attempt(to: &Connection, seq: i64, attempt: &Attempt) -> Result<()> {
    let [input, output, total, cached, reasoning] = usage(attempt.usage);
    let sql = "INSERT OR REPLACE INTO attempts (seq, lease, worker, boot_id, started_at, \
        ended_at, ending, kind, delivery, http_status, provider_request_id, possibly_paid, \
        error, input_tokens, output_tokens, total_tokens, cached_input_tokens, \
        reasoning_tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
        ?15, ?16, ?17, ?18)";
    to.prepare_cached(sql)?.execute(params![
        seq,
        signed(attempt.lease.number()),
        attempt.worker,
        attempt.boot_id.as_bytes(),
        millis(attempt.started_at),
        millis(attempt.ended_at),
        ending(attempt.end),
        attempt.kind.map(taskfleet_core::failure::FailureKind::name),
        attempt.delivery.map(delivery),
        attempt.http_status,
        attempt.provider_request_id,
        attempt.possibly_paid,
        attempt.error,
        input,
        output,
        total,
        cached,
        reasoning,
    ])?;
    Ok(())
}

/// Writes how a task ended.
pub(super) fn put_result(to: &Connection, seq: i64, result: &StoredResult) -> Result<()> {
    let [input, output, total, cached, reasoning] = usage(result.usage);
    let sql = "INSERT INTO results (seq, error, http_status, provider_request_id, served_model, \
        finish_reason, input_tokens, output_tokens, total_tokens, cached_input_tokens, \
        reasoning_tokens, form, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
        ?12, ?13)";
    to.prepare_cached(sql)?.execute(params![
        seq,
        result.error,
        result.http_status,
        result.provider_request_id,
        result.served_model,
        result.finish_reason,
        input,
        output,
        total,
        cached,
        reasoning,
        result.payload.as_ref().map(form),
        result.payload.as_ref().map(Payload::as_bytes),
    ])?;
    Ok(())
}

/// Makes the next [`put_tally`] write: SQLite leaves a row alone that is as it is to be.
pub(in crate::sqlite) fn touch(to: &Connection) -> Result<()> {
    to.prepare_cached("UPDATE store SET last_outcome = last_outcome + 1")?.execute([])?;
    Ok(())
}

/// Writes the numbers that are kept.
pub(in crate::sqlite) fn put_tally(to: &Connection, tally: &Tally) -> Result<()> {
    let Tally { counts, totals, last_outcome } = tally;
    let sql = "UPDATE store SET queued = ?1, running = ?2, completed = ?3, failed = ?4, \
        cancelled = ?5, queued_bytes = ?6, last_outcome = ?7, attempts_failed = ?8, \
        worker_losses = ?9, throttles = ?10, requeues = ?11";
    to.prepare_cached(sql)?.execute(
        [
            counts.queued,
            counts.running,
            counts.completed,
            counts.failed,
            counts.cancelled,
            counts.queued_bytes,
            *last_outcome,
            totals.attempts_failed,
            totals.worker_losses,
            totals.throttles,
            totals.requeues,
        ]
        .map(signed),
    )?;
    Ok(())
}
