//! RetryTask: a new task from an ended one.

use std::{collections::HashMap, sync::Arc};

use taskfleet_core::{TaskId, task::TaskSpec};
use taskfleet_proto::{parse_id, read_idempotency_key, v1};
use taskfleet_store::Submitted;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::status;
use crate::{engine::Engine, intake};

pub(super) async fn retry(
    engine: &Arc<Engine>,
    request: v1::RetryTaskRequest,
) -> Result<v1::RetryTaskResponse, Status> {
    let ended = parse_id("task_id", &request.task_id)?;
    let idempotency_key = read_idempotency_key(request.idempotency_key)?;
    if let Some(key) = &idempotency_key
        && let Some(retry) = known_retry(engine, key, ended).await?
    {
        return Ok(answer(&retry));
    }
    let spec = ended_spec(engine, ended).await?;
    // Its client's own id stays with the ended task: it is unique.
    let spec = TaskSpec { idempotency_key, client_ref: None, retry_of: Some(ended), ..spec };
    let submitted = engine.submit(vec![spec], None).await;
    let submitted = submitted.map_err(|error| error.status(|_, field| field.to_owned()))?;
    let first = submitted.first().ok_or_else(|| Status::internal("no answer"))?;
    Ok(answer(first))
}

/// What an earlier call with this key made of the same ended task: that one may be pruned by now.
/// A key that belongs to anything else is refused where the retry is submitted.
async fn known_retry(
    engine: &Engine,
    key: &str,
    ended: TaskId,
) -> Result<Option<Submitted>, Status> {
    let known = engine.store.keyed(vec![key.to_owned()]).await;
    let known = known.map_err(|error| status::of_store(&error))?.into_iter().next();
    let known = known.filter(|task| task.digest == intake::retry_digest(ended));
    Ok(known.map(|task| Submitted::Existing { id: task.id, state: task.state }))
}

async fn ended_spec(engine: &Engine, id: TaskId) -> Result<TaskSpec, Status> {
    let detail = engine.store.task(id, 0).await.map_err(|error| status::of_store(&error))?;
    let state = detail.ok_or_else(status::no_such_task)?.record.state;
    if !state.is_terminal() {
        return Err(has_not_ended(state.into()));
    }
    let specs = engine.store.specs(vec![id]).await.map_err(|error| status::of_store(&error))?;
    let first = specs.into_iter().next();
    first.map(|(_, spec)| spec).ok_or_else(status::no_such_task)
}

fn has_not_ended(state: v1::TaskState) -> Status {
    let state = state.as_str_name();
    let metadata = HashMap::from([("state".to_owned(), state.to_owned())]);
    let details = ErrorDetails::with_error_info("TASK_NOT_ENDED", "taskfleet.v1", metadata);
    let message = format!("task_id: the task has not ended ({state}): wait for it or cancel it");
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

fn answer(submitted: &Submitted) -> v1::RetryTaskResponse {
    let mut answer = v1::RetryTaskResponse {
        task_id: submitted.id().to_string(),
        existing: submitted.is_existing(),
        ..v1::RetryTaskResponse::default()
    };
    answer.set_state(submitted.state().into());
    answer
}
