//! TaskService: tasks, for clients.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use taskfleet_core::{TaskId, limits, outcome::Payload, task::TaskSpec};
use taskfleet_proto::{
    FieldError, check_names, parse_id, read_spec,
    v1::{self, task_service_server::TaskService},
};
use taskfleet_runtime::trace::Place;
use taskfleet_store::{Submitted, TaskDetail};
use tonic::{Request, Response, Status, async_trait};

use super::{Room, cancel, cursor, list, retry, status, view, watch};
use crate::engine::Engine;

/// Of a result this much stands in a message, in bytes: with all around it, it stays below
/// the 4 MiB that any client takes.
pub(super) const INLINE_RESULT: usize = 2 << 20;
/// Bytes of one chunk of a result.
const CHUNK: usize = 1 << 20;

/// Serves TaskService.
pub(crate) struct TaskApi {
    pub(crate) engine: Arc<Engine>,
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[async_trait]
impl TaskService for TaskApi {
    type WatchTaskStream = Streamed<v1::WatchTaskResponse>;
    type WatchTasksStream = Streamed<v1::WatchTasksResponse>;
    type GetResultStream = Streamed<v1::GetResultResponse>;

    async fn submit_task(
        &self,
        request: Request<v1::TaskSpec>,
    ) -> Result<Response<v1::SubmitTaskResponse>, Status> {
        let caller = Place::of_caller(request.metadata());
        let room = request.extensions().get::<Room>().cloned();
        let spec = traced(request.into_inner(), caller.as_ref());
        let spec = read_spec(spec).map_err(|errors| FieldError::status(&errors))?;
        let submitted = self.engine.submit(vec![spec], room).await;
        let submitted = submitted.map_err(|error| error.status(|_, field| field.to_owned()))?;
        let first = submitted.first().ok_or_else(|| Status::internal("no answer"))?;
        Ok(Response::new(submit_response(first)))
    }

    async fn submit_tasks(
        &self,
        request: Request<v1::SubmitTasksRequest>,
    ) -> Result<Response<v1::SubmitTasksResponse>, Status> {
        let caller = Place::of_caller(request.metadata());
        let room = request.extensions().get::<Room>().cloned();
        let tasks = request.into_inner().tasks.into_iter();
        let specs = read_specs(tasks.map(|task| traced(task, caller.as_ref())).collect())?;
        let cursor = cursor::outcome_cursor(self.engine.store.last_outcome());
        let submitted = self.engine.submit(specs, room).await;
        let submitted = submitted
            .map_err(|error| error.status(|index, field| format!("tasks[{index}].{field}")))?;
        let tasks = submitted.iter().map(submit_response).collect();
        Ok(Response::new(v1::SubmitTasksResponse { tasks, cursor }))
    }

    async fn get_task(
        &self,
        request: Request<v1::GetTaskRequest>,
    ) -> Result<Response<v1::GetTaskResponse>, Status> {
        let id = parse_id("task_id", &request.get_ref().task_id)?;
        let detail = self.detail(id, INLINE_RESULT).await?;
        let last_error = detail.attempts.last().map(|attempt| attempt.error.as_str());
        let waiting = self.engine.why_it_waits(&detail.record, last_error);
        let mut task = view::task(detail);
        task.waiting = waiting;
        Ok(Response::new(v1::GetTaskResponse { task: Some(task) }))
    }

    async fn get_result(
        &self,
        request: Request<v1::GetResultRequest>,
    ) -> Result<Response<Self::GetResultStream>, Status> {
        let request = request.into_inner();
        let id = parse_id("task_id", &request.task_id)?;
        let detail = self.detail(id, limits::MAX_RESULT_BYTES).await?;
        let Some(payload) = detail.result.and_then(|result| result.payload) else {
            return Err(Status::failed_precondition("task_id: the task has no result"));
        };
        let chunks = chunks(payload, request.offset)?;
        Ok(Response::new(Box::pin(futures::stream::iter(chunks))))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<v1::ListTasksResponse>, Status> {
        list::list(&self.engine, request.into_inner()).await.map(Response::new)
    }

    async fn watch_task(
        &self,
        request: Request<v1::WatchTaskRequest>,
    ) -> Result<Response<Self::WatchTaskStream>, Status> {
        let request = request.into_inner();
        let id = parse_id("task_id", &request.task_id)?;
        let seen = cursor::Seen::from_cursor(&request.cursor)?;
        self.detail(id, 0).await?;
        let events = watch::one(self.engine.clone(), id, seen);
        Ok(Response::new(Box::pin(events)))
    }

    async fn watch_tasks(
        &self,
        request: Request<v1::WatchTasksRequest>,
    ) -> Result<Response<Self::WatchTasksStream>, Status> {
        let request = request.into_inner();
        let wrong = check_names(&request.tenant, &request.group, &request.labels);
        if !wrong.is_empty() {
            return Err(FieldError::status(&wrong));
        }
        let after = cursor::read_outcome_cursor(&request.cursor)?;
        if after.is_some_and(|after| after > self.engine.store.last_outcome()) {
            let message = "cursor: lies beyond this store's last outcome; was it restored?";
            return Err(Status::out_of_range(message));
        }
        let events = watch::many(self.engine.clone(), request, after);
        Ok(Response::new(Box::pin(events)))
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Result<Response<v1::CancelTaskResponse>, Status> {
        cancel::cancel(&self.engine, request.get_ref()).await.map(Response::new)
    }

    async fn retry_task(
        &self,
        request: Request<v1::RetryTaskRequest>,
    ) -> Result<Response<v1::RetryTaskResponse>, Status> {
        retry::retry(&self.engine, request.into_inner()).await.map(Response::new)
    }
}

impl TaskApi {
    async fn detail(&self, id: TaskId, max_result: usize) -> Result<TaskDetail, Status> {
        let detail = self.engine.store.task(id, max_result).await;
        detail.map_err(|error| status::of_store(&error))?.ok_or_else(status::no_such_task)
    }
}

/// A task that does not say itself to which trace it belongs belongs to its caller's.
fn traced(mut task: v1::TaskSpec, caller: Option<&Place>) -> v1::TaskSpec {
    if let Some(caller) = caller.filter(|_| task.traceparent.is_empty()) {
        task.traceparent = caller.traceparent();
        task.tracestate = caller.tracestate();
    }
    task
}

fn read_specs(tasks: Vec<v1::TaskSpec>) -> Result<Vec<TaskSpec>, Status> {
    check_batch(&tasks)?;
    let mut specs = Vec::with_capacity(tasks.len());
    let mut errors = Vec::new();
    for (index, task) in tasks.into_iter().enumerate() {
        match read_spec(task) {
            Ok(spec) => specs.push(spec),
            Err(wrong) => {
                let parent = format!("tasks[{index}]");
                errors.extend(wrong.into_iter().map(|error| error.within(&parent)));
            }
        }
        // A hundred tell what is wrong; a status has to fit into a header.
        if errors.len() >= 100 {
            break;
        }
    }
    if errors.is_empty() { Ok(specs) } else { Err(FieldError::status(&errors)) }
}

fn check_batch(tasks: &[v1::TaskSpec]) -> Result<(), FieldError> {
    let bytes: usize = tasks.iter().map(prost::Message::encoded_len).sum();
    let problem = if tasks.is_empty() {
        "is empty: at least one task is needed".to_owned()
    } else if tasks.len() > limits::MAX_BATCH_TASKS {
        format!("has {} entries; at most {} are taken", tasks.len(), limits::MAX_BATCH_TASKS)
    } else if bytes > limits::MAX_BATCH_BYTES {
        format!("is {bytes} bytes; at most {} MiB are taken", limits::MAX_BATCH_BYTES >> 20)
    } else {
        return Ok(());
    };
    Err(FieldError::new("tasks", problem))
}

fn submit_response(submitted: &Submitted) -> v1::SubmitTaskResponse {
    let mut answer = v1::SubmitTaskResponse {
        task_id: submitted.id().to_string(),
        existing: submitted.is_existing(),
        ..v1::SubmitTaskResponse::default()
    };
    answer.set_state(submitted.state().into());
    answer
}

fn chunks(
    payload: Payload,
    offset: u64,
) -> Result<impl Iterator<Item = Result<v1::GetResultResponse, Status>>, FieldError> {
    let bytes = match payload {
        Payload::Text(text) => text.into_bytes(),
        Payload::Body(body) => body,
    };
    let size_bytes = bytes.len() as u64;
    if offset > size_bytes {
        return Err(FieldError::new(
            "offset",
            format!("is beyond the result's {size_bytes} bytes"),
        ));
    }
    let starts = (offset..size_bytes.max(offset + 1)).step_by(CHUNK);
    Ok(starts.map(move |start| {
        let from = usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
        let chunk = bytes[from..bytes.len().min(from + CHUNK)].to_vec();
        Ok(v1::GetResultResponse { offset: start, chunk, size_bytes })
    }))
}
