//! CancelTask: ends a task before its time, perhaps only while it is in a given state.

use std::sync::Arc;

use taskfleet_core::{
    machine::{Event, Refusal},
    task::TaskState,
};
use taskfleet_proto::{FieldError, parse_id, v1};
use tonic::Status;

use super::status;
use crate::engine::Engine;

pub(super) async fn cancel(
    engine: &Arc<Engine>,
    request: &v1::CancelTaskRequest,
) -> Result<v1::CancelTaskResponse, Status> {
    let id = parse_id("task_id", &request.task_id)?;
    let change = engine.change(id, event(request)?);
    let results = engine.apply(vec![change]).await;
    let results = results.map_err(|error| status::of_store(&error))?;
    let (state, cancelled) = match results.first() {
        Some(Ok(applied)) => (applied.record.state, true),
        Some(Err(Refusal::Terminal(state) | Refusal::OtherState(state))) => (*state, false),
        _ => return Err(status::no_such_task()),
    };
    let mut answer = v1::CancelTaskResponse { cancelled, ..v1::CancelTaskResponse::default() };
    answer.set_state(state.into());
    Ok(answer)
}

fn event(request: &v1::CancelTaskRequest) -> Result<Event, FieldError> {
    let state = match v1::TaskState::try_from(request.only_if_state) {
        Ok(v1::TaskState::Unspecified) => return Ok(Event::Cancel),
        Ok(v1::TaskState::Queued) => TaskState::Queued,
        Ok(v1::TaskState::Running) => TaskState::Running,
        // What has ended cannot be cancelled, and an unknown condition must not be none.
        _ => {
            let problem = "must be QUEUED or RUNNING, or left out: nothing else can be cancelled";
            return Err(FieldError::new("only_if_state", problem));
        }
    };
    Ok(Event::CancelIf { state })
}
