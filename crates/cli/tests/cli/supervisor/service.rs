//! The calls.

use std::sync::Arc;

use futures::{StreamExt, stream, stream::BoxStream};
use taskfleet_proto::v1::{self, task_service_server::TaskService};
use tonic::{Request, Response, Status};

use super::{Book, Shared};

type Answer<T> = Result<Response<T>, Status>;

pub(super) struct Service(pub(super) Arc<Shared>);

impl Service {
    fn book<T>(&self, read: impl FnOnce(&mut Book) -> T) -> T {
        read(&mut self.0.book.lock().unwrap())
    }

    fn changed(&self) {
        self.0.changed.send_replace(());
    }
}

fn cursor(number: usize) -> String {
    format!("o1:{number:x}")
}

#[tonic::async_trait]
impl TaskService for Service {
    async fn submit_task(&self, _: Request<v1::TaskSpec>) -> Answer<v1::SubmitTaskResponse> {
        Err(Status::unimplemented("one task"))
    }

    type WatchTaskStream = BoxStream<'static, Result<v1::WatchTaskResponse, Status>>;

    async fn watch_task(&self, _: Request<v1::WatchTaskRequest>) -> Answer<Self::WatchTaskStream> {
        Err(Status::unimplemented("one task"))
    }

    async fn submit_tasks(
        &self,
        request: Request<v1::SubmitTasksRequest>,
    ) -> Answer<v1::SubmitTasksResponse> {
        let specs = request.into_inner().tasks;
        let (answer, is_mute) = self.book(|book| {
            book.batches.push(specs.len());
            let is_away = book.away_from > 0 && book.batches.len() >= book.away_from;
            if is_away || book.away > 0 {
                book.away = book.away.saturating_sub(1);
                return (Err(Status::unavailable("the supervisor is stopping")), false);
            }
            let cursor = cursor(book.outcomes.len());
            let tasks = book.submit(specs);
            (tasks.map(|tasks| v1::SubmitTasksResponse { tasks, cursor }), book.mute)
        });
        self.changed();
        if is_mute {
            std::future::pending::<()>().await;
        }
        answer.map(Response::new)
    }

    async fn get_task(&self, request: Request<v1::GetTaskRequest>) -> Answer<v1::GetTaskResponse> {
        self.book(|book| {
            book.gets += 1;
            let index = book.index(&request.get_ref().task_id);
            let index = index.ok_or_else(no_such_task)?;
            Ok(Response::new(v1::GetTaskResponse { task: Some(book.shown(index)) }))
        })
    }

    type GetResultStream = BoxStream<'static, Result<v1::GetResultResponse, Status>>;

    async fn get_result(
        &self,
        request: Request<v1::GetResultRequest>,
    ) -> Answer<Self::GetResultStream> {
        let text = self.book(|book| {
            let index = book.index(&request.get_ref().task_id).unwrap();
            book.tasks[index].result.clone().unwrap().text
        });
        let chunks: Vec<_> = text.as_bytes().chunks(1 << 16).map(<[u8]>::to_vec).collect();
        let chunks = chunks
            .into_iter()
            .map(|chunk| Ok(v1::GetResultResponse { chunk, ..v1::GetResultResponse::default() }));
        Ok(Response::new(stream::iter(chunks).boxed()))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Answer<v1::ListTasksResponse> {
        let request = request.into_inner();
        let filter = request.filter.unwrap_or_default();
        let from: usize = request.page_token.parse().unwrap_or(0);
        let size = request.page_size.max(1) as usize;
        self.book(|book| {
            book.lists += 1;
            let wanted = |task: &&v1::Task| {
                (filter.states.is_empty() || filter.states.contains(&task.state))
                    && (filter.group.is_empty() || filter.group == task.group)
                    && filter.labels.iter().all(|(key, value)| task.labels.get(key) == Some(value))
            };
            let all: Vec<_> = book.tasks.iter().rev().filter(wanted).cloned().collect();
            let tasks: Vec<_> = all.iter().skip(from).take(size).cloned().collect();
            let next = from + tasks.len();
            let next_page_token = if next < all.len() { next.to_string() } else { String::new() };
            Ok(Response::new(v1::ListTasksResponse { tasks, next_page_token }))
        })
    }

    type WatchTasksStream = BoxStream<'static, Result<v1::WatchTasksResponse, Status>>;

    async fn watch_tasks(
        &self,
        request: Request<v1::WatchTasksRequest>,
    ) -> Answer<Self::WatchTasksStream> {
        let request = request.into_inner();
        let from = request.cursor.strip_prefix("o1:").expect("a cursor of ours");
        let from = usize::from_str_radix(from, 16).unwrap();
        let (shared, changes) = (self.0.clone(), self.0.changed.subscribe());
        let feed = stream::unfold((from, changes), move |(mut next, mut changes)| {
            let (shared, group) = (shared.clone(), request.group.clone());
            async move {
                loop {
                    changes.mark_unchanged();
                    let found = {
                        let book = shared.book.lock().unwrap();
                        book.outcomes.get(next).map(|index| book.shown(*index))
                    };
                    match found {
                        Some(task) if task.group == group => {
                            let cursor = cursor(next + 1);
                            let message = v1::WatchTasksResponse { cursor, task: Some(task) };
                            return Some((Ok(message), (next + 1, changes)));
                        }
                        Some(_) => next += 1,
                        None => changes.changed().await.ok()?,
                    }
                }
            }
        });
        Ok(Response::new(feed.boxed()))
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Answer<v1::CancelTaskResponse> {
        let cancelled = self.book(|book| {
            let request = request.get_ref();
            let index = book.index(&request.task_id).ok_or_else(no_such_task)?;
            book.begin_before_cancel(index);
            let state = book.tasks[index].state;
            let is_meant = [0, state].contains(&request.only_if_state);
            let cancelled = is_meant && book.tasks[index].result.is_none();
            if cancelled {
                book.cancel(index);
            }
            let state = book.tasks[index].state;
            Ok(Response::new(v1::CancelTaskResponse { state, cancelled }))
        });
        self.changed();
        cancelled
    }

    async fn retry_task(
        &self,
        request: Request<v1::RetryTaskRequest>,
    ) -> Answer<v1::RetryTaskResponse> {
        let request = request.into_inner();
        self.book(|book| {
            let index = book.index(&request.task_id).ok_or_else(no_such_task)?;
            if book.tasks[index].result.is_none() {
                return Err(Status::failed_precondition("task_id: the task has not ended"));
            }
            let answer = book.retry(index, request.idempotency_key);
            let v1::SubmitTaskResponse { task_id, state, existing } = answer;
            Ok(Response::new(v1::RetryTaskResponse { task_id, state, existing }))
        })
    }
}

fn no_such_task() -> Status {
    Status::not_found("task_id: there is no such task")
}
