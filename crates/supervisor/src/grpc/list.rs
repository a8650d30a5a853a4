//! ListTasks: pages of tasks, newest first.

use std::collections::BTreeSet;

use prost::Message;
use taskfleet_core::{TaskId, digest::Parts, failure::FailureKind, limits, task::TaskState};
use taskfleet_proto::{FieldError, check_names, v1, worker};
use taskfleet_store::{TaskDetail, TaskFilter, TaskPage};
use tonic::Status;

use super::{
    cursor::{page_token, read_page_token},
    status, view,
};
use crate::engine::Engine;

/// Bytes of the tasks of one page: with all around them, an answer stays below the 4 MiB that
/// any client takes.
const PAGE_BYTES: usize = 3 << 20;

pub(super) async fn list(
    engine: &Engine,
    request: v1::ListTasksRequest,
) -> Result<v1::ListTasksResponse, Status> {
    let query = read(request).map_err(|errors| FieldError::status(&errors))?;
    let Query { filter, digest, before, limit } = query;
    let page = engine.store.list(filter, before, limit).await;
    let page = page.map_err(|error| status::of_store(&error))?;
    let (tasks, next) = fit(engine, page);
    let next_page_token = next.map(|last| page_token(last, &digest)).unwrap_or_default();
    Ok(v1::ListTasksResponse { tasks, next_page_token })
}

struct Query {
    filter: TaskFilter,
    /// Of the filter: tells whose page token it is.
    digest: [u8; 32],
    before: Option<TaskId>,
    limit: usize,
}

fn read(request: v1::ListTasksRequest) -> Result<Query, Vec<FieldError>> {
    let mut errors = Vec::new();
    let filter = read_filter(request.filter.unwrap_or_default(), &mut errors);
    let digest = digest(&filter);
    let limit = page_size(request.page_size).map_err(|error| errors.push(error));
    let before = read_page_token(&request.page_token, &digest).map_err(|error| {
        // Of a filter that is wrong itself nothing can be said.
        if errors.is_empty() {
            errors.push(error);
        }
    });
    match (limit, before) {
        (Ok(limit), Ok(before)) if errors.is_empty() => Ok(Query { filter, digest, before, limit }),
        _ => Err(errors),
    }
}

fn page_size(wanted: u32) -> Result<usize, FieldError> {
    let wanted = if wanted == 0 { limits::DEFAULT_PAGE_TASKS } else { wanted };
    if wanted > limits::MAX_PAGE_TASKS {
        let problem = format!("must be from 1 to {}, or 0 for 100", limits::MAX_PAGE_TASKS);
        return Err(FieldError::new("page_size", problem));
    }
    Ok(usize::try_from(wanted).unwrap_or(usize::MAX))
}

fn read_filter(wire: v1::TaskFilter, errors: &mut Vec<FieldError>) -> TaskFilter {
    let names = check_names(&wire.tenant, &wire.group, &wire.labels);
    errors.extend(names.into_iter().map(|error| error.within("filter")));
    let states = wire.states.iter().map(|state| v1::TaskState::try_from(*state).ok()?.known());
    let states: BTreeSet<TaskState> = all_known("filter.states", "task state", states, errors);
    let kinds = wire.kinds.iter().map(|kind| worker::FailureKind::try_from(*kind).ok()?.known());
    let kinds: BTreeSet<FailureKind> = all_known("filter.kinds", "failure kind", kinds, errors);
    let (tenant, group) = (wire.tenant, wire.group);
    TaskFilter { states, kinds, tenant, group, labels: wire.labels.into_iter().collect() }
}

fn all_known<T: Ord>(
    field: &str,
    what: &str,
    values: impl Iterator<Item = Option<T>>,
    errors: &mut Vec<FieldError>,
) -> BTreeSet<T> {
    let values = values.enumerate().filter_map(|(index, value)| {
        if value.is_none() {
            errors.push(FieldError::new(format!("{field}[{index}]"), format!("is no {what}")));
        }
        value
    });
    values.collect()
}

fn digest(filter: &TaskFilter) -> [u8; 32] {
    let TaskFilter { states, kinds, tenant, group, labels } = filter;
    let mut parts = Parts::default();
    parts.add(tenant);
    parts.add(group);
    for state in states {
        parts.add([0, *state as u8]);
    }
    for kind in kinds {
        parts.add([1]);
        parts.add(kind.name());
    }
    for (key, value) in labels {
        parts.add([2]);
        parts.add(key);
        parts.add(value);
    }
    parts.finish()
}

/// As many of the tasks as fit into one answer, and where the next page begins.
fn fit(engine: &Engine, page: TaskPage) -> (Vec<v1::Task>, Option<TaskId>) {
    let (mut tasks, mut bytes, mut last) = (Vec::new(), 0, None);
    for detail in page.tasks {
        let id = detail.record.id;
        let task = listed(engine, detail);
        bytes += task.encoded_len();
        if bytes > PAGE_BYTES && last.is_some() {
            return (tasks, last);
        }
        tasks.push(task);
        last = Some(id);
    }
    (tasks, page.next)
}

fn listed(engine: &Engine, detail: TaskDetail) -> v1::Task {
    let waiting = engine.why_it_waits(&detail.record, None);
    let task = view::task(detail);
    v1::Task { waiting, attempts: Vec::new(), ..task }
}
