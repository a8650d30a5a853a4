//! A worker that does what each prompt says.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, stream};
use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, async_trait, transport::Server};

use crate::{
    script::{Script, Step, status},
    wire::{
        TaskRequest, TaskResponse, WorkerStatus,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
};

/// What the worker bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls at once; one more is RESOURCE_EXHAUSTED, as with grpcio's
    /// `maximum_concurrent_rpcs`. A call lasts until its stream has ended.
    pub calls: usize,
}

/// Serves at `listen` until standard input ends. Says on standard output where it listens,
/// and on standard error what becomes of each task: `called ID`, then `ended ID` or, when
/// its caller went away, `dropped ID`.
///
/// # Errors
/// When it cannot listen or serve.
#[expect(clippy::print_stdout, reason = "whoever started it reads where it listens")]
pub async fn run(listen: SocketAddr, limits: Limits) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    let service = WorkerServiceServer::new(Scripted { limits, state: Arc::default() });
    let stop = async {
        let mut nothing = Vec::new();
        // An error ends the wait as well.
        let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
    };
    let serving = Server::builder().add_service(service);
    serving
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
        .await
        .map_err(io::Error::other)
}

struct Scripted {
    limits: Limits,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    open: usize,
    /// Calls so far, by prompt.
    calls: HashMap<String, usize>,
}

#[async_trait]
impl WorkerService for Scripted {
    type ProcessTaskStream = Pin<Box<dyn Stream<Item = Result<TaskResponse, Status>> + Send>>;

    async fn process_task(
        &self,
        request: Request<TaskRequest>,
    ) -> Result<Response<Self::ProcessTaskStream>, Status> {
        let task = request.into_inner();
        let mut call = Call::begin(&self.state, task, self.limits)?;
        tokio::time::sleep(call.script.first_wait()).await;
        if let Some(status) = call.script.first_status() {
            call.over = true;
            return Err(status);
        }
        Ok(Response::new(Box::pin(stream::unfold(call, Call::next))))
    }
}

/// One open call.
struct Call {
    state: Arc<Mutex<State>>,
    task: TaskRequest,
    script: Script,
    over: bool,
}

impl Call {
    fn begin(state: &Arc<Mutex<State>>, task: TaskRequest, limits: Limits) -> Result<Self, Status> {
        let mut known = state.lock().unwrap_or_else(PoisonError::into_inner);
        if known.open >= limits.calls {
            return Err(Status::resource_exhausted("too many calls at once"));
        }
        let nth = known.calls.entry(task.content.clone()).or_default();
        let script = Script::read(&task.content, *nth)?;
        *nth += 1;
        known.open += 1;
        tell("called", &task.task_id);
        Ok(Self { state: state.clone(), task, script, over: false })
    }

    async fn next(mut self) -> Option<(Result<TaskResponse, Status>, Self)> {
        while let Some(step) = self.script.steps.pop_front() {
            let answer = match step {
                Step::Wait(wait) => {
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Step::Hang => std::future::pending().await,
                Step::Status(code) => {
                    self.script.steps.clear();
                    self.over = true;
                    Err(status(code))
                }
                step => Ok(self.message(&step)),
            };
            return Some((answer, self));
        }
        self.over = true;
        None
    }

    fn message(&self, step: &Step) -> TaskResponse {
        let mut message =
            TaskResponse { task_id: self.task.task_id.clone(), ..TaskResponse::default() };
        let done = || format!("done: {}", self.task.content);
        match step {
            Step::Work => message.set_status(WorkerStatus::Processing),
            Step::Text(text) => {
                message.set_status(WorkerStatus::Processing);
                message.result.clone_from(text);
            }
            Step::Fail(words) => {
                message.set_status(WorkerStatus::Failed);
                message.error.clone_from(words);
            }
            Step::Key => {
                message.set_status(WorkerStatus::Failed);
                message.error = format!("called with <{}>", self.task.api_key);
            }
            Step::Unknown => message.result = "of no status".to_owned(),
            completed => {
                message.set_status(WorkerStatus::Completed);
                message.result = match completed {
                    Step::Done(Some(bytes)) => "x".repeat(*bytes),
                    Step::Silent => String::new(),
                    _ => done(),
                };
            }
        }
        match step {
            Step::Anonymous => message.task_id.clear(),
            Step::Other => message.task_id = "00000000-0000-4000-8000-000000000000".to_owned(),
            Step::Both => message.error = "and yet it went wrong".to_owned(),
            _ => {}
        }
        message
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
        tell(if self.over { "ended" } else { "dropped" }, &self.task.task_id);
    }
}

#[expect(clippy::print_stderr, reason = "tests read what became of a task")]
fn tell(what: &str, task_id: &str) {
    eprintln!("{what} {task_id}");
}
