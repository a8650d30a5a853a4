//! Rows as the types of the domain.

use std::borrow::Cow;

use rusqlite::{Result, Row};
use serde::{Deserialize, Serialize};
use taskfleet_core::{
    BootId, TaskId,
    demand::Demand,
    outcome::Payload,
    retry::RetryPolicy,
    task::{
        Content, Counters, Endpoint, Holder, Request, TaskRecord, TaskSpec, TraceContext, Work,
    },
};

use super::codes::Columns;
use crate::types::{Attempt, Running, StoredResult, TaskDetail, TaskMeta};

/// The columns of [`read_record`].
macro_rules! record_columns {
    () => {
        "id, state, lease, lease_unheard, lease_borrowed, attempts, losses, throttles, \
    requeues, max_attempts, initial_backoff, max_backoff, priority, tenant, model, demand, size_bytes, \
    created_at, deadline, not_before, attempt_timeout, boot_id, worker, address, claimed_at, \
    finished_at, kind"
    };
}

pub(super) fn read_record(from: &mut Columns<'_>) -> Result<TaskRecord> {
    Ok(TaskRecord {
        id: from.task_id()?,
        state: from.state()?,
        lease: from.lease()?,
        lease_unheard: from.get()?,
        lease_borrowed: from.get()?,
        counters: Counters {
            attempts: from.get()?,
            losses: from.get()?,
            throttles: from.get()?,
            requeues: from.get()?,
        },
        retry: RetryPolicy {
            max_attempts: from.get()?,
            initial_backoff: from.duration()?,
            max_backoff: from.duration()?,
        },
        priority: from.get()?,
        tenant: from.get()?,
        model: from.maybe_text()?,
        needs: Demand::from_code(from.get()?).needs,
        size_bytes: from.number()?,
        created_at: from.time()?,
        deadline: from.time()?,
        not_before: from.maybe_time()?,
        attempt_timeout: from.duration()?,
        holder: maybe_holder(from)?,
        claimed_at: from.maybe_time()?,
        finished_at: from.maybe_time()?,
        kind: from.maybe_kind()?,
    })
}

fn maybe_holder(from: &mut Columns<'_>) -> Result<Option<Holder>> {
    let boot_id = from.get::<Option<[u8; 16]>>()?.map(BootId::from_bytes);
    let name = from.get::<Option<String>>()?;
    let address = from.get::<Option<String>>()?;
    Ok(boot_id.map(|boot_id| Holder {
        boot_id,
        name: name.unwrap_or_default(),
        address: address.unwrap_or_default(),
    }))
}

/// The columns of [`running`].
macro_rules! running_columns {
    () => {
        "id, lease, boot_id, worker, address, claimed_at"
    };
}

pub(super) fn running(row: &Row<'_>) -> Result<Running> {
    let mut from = Columns::new(row);
    Ok(Running {
        id: from.task_id()?,
        lease: from.lease()?,
        holder: Holder { boot_id: from.boot_id()?, name: from.get()?, address: from.get()? },
        claimed_at: from.time()?,
    })
}

/// The columns of [`attempt`].
macro_rules! attempt_columns {
    () => {
        "lease, worker, boot_id, started_at, ended_at, ending, kind, \
    delivery, http_status, provider_request_id, possibly_paid, error, input_tokens, \
    output_tokens, total_tokens, cached_input_tokens, reasoning_tokens"
    };
}

pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    let mut from = Columns::new(row);
    Ok(Attempt {
        lease: from.lease()?,
        worker: from.get()?,
        boot_id: from.boot_id()?,
        started_at: from.time()?,
        ended_at: from.time()?,
        end: from.ending()?,
        kind: from.maybe_kind()?,
        delivery: from.maybe_delivery()?,
        http_status: from.get()?,
        provider_request_id: from.get()?,
        possibly_paid: from.get()?,
        error: from.get()?,
        usage: from.maybe_usage()?,
    })
}

/// The columns of [`read_meta`], from `tasks` and `specs`.
macro_rules! meta_columns {
    () => {
        "tenant, grp, client_ref, parent_id, retry_of, endpoint, labels"
    };
}

/// The columns of [`maybe_result`], which reads them all or only the first: nothing may
/// follow them. The payload is cut to parameter 1 in bytes.
macro_rules! result_columns {
    () => {
        "results.seq, length(payload), error, http_status, provider_request_id, served_model, \
    finish_reason, input_tokens, output_tokens, total_tokens, cached_input_tokens, \
    reasoning_tokens, form, substr(payload, 1, ?1)"
    };
}

pub(super) use {attempt_columns, meta_columns, record_columns, result_columns, running_columns};

/// A task without its attempts: the columns of the record, the meta and the result.
pub(super) fn read_detail(from: &mut Columns<'_>) -> Result<TaskDetail> {
    Ok(TaskDetail {
        record: read_record(from)?,
        meta: read_meta(from)?,
        attempts: Vec::new(),
        result: maybe_result(from)?,
    })
}

/// A task without its attempts and its result: the columns of the record and the meta.
pub(super) fn read_listed(from: &mut Columns<'_>) -> Result<TaskDetail> {
    let (record, meta) = (read_record(from)?, read_meta(from)?);
    Ok(TaskDetail { record, meta, attempts: Vec::new(), result: None })
}

fn read_meta(from: &mut Columns<'_>) -> Result<TaskMeta> {
    Ok(TaskMeta {
        tenant: from.get()?,
        group: from.get()?,
        client_ref: from.get()?,
        parent_id: from.maybe_task_id()?,
        retry_of: from.maybe_task_id()?,
        endpoint: from.maybe_endpoint()?,
        labels: from.json()?,
    })
}

fn maybe_result(from: &mut Columns<'_>) -> Result<Option<StoredResult>> {
    if from.get::<Option<i64>>()?.is_none() {
        return Ok(None);
    }
    let size_bytes = from.get::<Option<i64>>()?.unwrap_or_default().cast_unsigned();
    Ok(Some(StoredResult {
        size_bytes,
        error: from.get()?,
        http_status: from.get()?,
        provider_request_id: from.get()?,
        served_model: from.get()?,
        finish_reason: from.get()?,
        usage: from.maybe_usage()?,
        payload: maybe_payload(from)?,
    }))
}

const TEXT: u8 = 0;
const BODY: u8 = 1;

/// How a payload stands in `form`.
pub(super) const fn form(payload: &Payload) -> u8 {
    match payload {
        Payload::Text(_) => TEXT,
        Payload::Body(_) => BODY,
    }
}

fn maybe_payload(from: &mut Columns<'_>) -> Result<Option<Payload>> {
    let form = from.get::<Option<u8>>()?;
    let bytes = from.get::<Option<Vec<u8>>>()?;
    let Some(form) = form else { return Ok(None) };
    let bytes = bytes.unwrap_or_default();
    let payload = match form {
        TEXT => uncut(bytes).map(Payload::Text),
        BODY => Some(Payload::Body(bytes)),
        _ => None,
    };
    from.known(payload).map(Some)
}

/// Text that may have been cut within its last character: without that.
fn uncut(bytes: Vec<u8>) -> Option<String> {
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.utf8_error().error_len().is_none() => {
            let whole = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(whole);
            String::from_utf8(bytes).ok()
        }
        Err(_) => None,
    }
}

/// What of a spec is never asked for by itself.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
pub(super) struct Rest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<Cow<'a, str>>,
}

impl<'a> Rest<'a> {
    pub(super) fn of(spec: &'a TaskSpec) -> Self {
        let (instructions, parameters_json) = match &spec.work {
            Work::Content(content) => (&content.instructions, &content.parameters_json),
            Work::Request(_) => (&None, &None),
        };
        let borrowed = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        let trace = spec.trace.as_ref();
        Self {
            instructions: borrowed(instructions),
            parameters_json: borrowed(parameters_json),
            idempotency_key: borrowed(&spec.idempotency_key),
            limit_key: borrowed(&spec.limit_key),
            traceparent: trace.map(|trace| Cow::Borrowed(trace.traceparent.as_str())),
            tracestate: trace.map(|trace| Cow::Borrowed(trace.tracestate.as_str())),
        }
    }

    pub(super) fn idempotency_key(self) -> Option<String> {
        owned(self.idempotency_key)
    }

    fn trace(&mut self) -> Option<TraceContext> {
        let traceparent = owned(self.traceparent.take())?;
        Some(TraceContext { traceparent, tracestate: owned(self.tracestate.take())? })
    }
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

/// The column `rest`, of which nothing else is kept.
pub(super) fn read_trace_context(from: &mut Columns<'_>) -> Result<Option<TraceContext>> {
    Ok(from.json::<Rest<'static>>()?.trace())
}

/// What was asked for, put together from both its rows: the columns of the record and the
/// meta, then `time_limit, rest, body`.
pub(super) fn read_spec(from: &mut Columns<'_>) -> Result<(TaskId, TaskSpec)> {
    let record = read_record(from)?;
    let meta = read_meta(from)?;
    let deadline = from.duration()?;
    let mut rest = from.json::<Rest<'static>>()?;
    let trace = rest.trace();
    let spec = TaskSpec {
        priority: record.priority,
        attempt_timeout: record.attempt_timeout,
        retry: record.retry,
        tenant: meta.tenant,
        group: meta.group,
        client_ref: meta.client_ref,
        parent_id: meta.parent_id,
        retry_of: meta.retry_of,
        labels: meta.labels,
        deadline,
        idempotency_key: owned(rest.idempotency_key.take()),
        limit_key: owned(rest.limit_key.take()),
        trace,
        work: work(&record, meta.endpoint, rest, from.get()?),
    };
    Ok((record.id, spec))
}

fn work(record: &TaskRecord, endpoint: Option<Endpoint>, rest: Rest<'_>, body: String) -> Work {
    match endpoint {
        Some(endpoint) => Work::Request(Request { endpoint, body, model: record.model.clone() }),
        None => Work::Content(Content {
            text: body,
            model: record.model.clone(),
            instructions: owned(rest.instructions),
            parameters_json: owned(rest.parameters_json),
        }),
    }
}
