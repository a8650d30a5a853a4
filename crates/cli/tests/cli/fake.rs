//! A supervisor that answers what it was told to, and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures::{StreamExt, stream, stream::BoxStream};
use taskfleet_proto::v1::{
    self,
    task_service_server::{TaskService, TaskServiceServer},
};
use tokio::task::JoinSet;
use tonic::{Request, Response, Status, transport::Server};

type Answer<T> = Result<Response<T>, Status>;
type Events = Vec<Result<v1::WatchTaskResponse, Status>>;

/// What it answers, in turn, and what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) submits: VecDeque<Result<v1::SubmitTaskResponse, Status>>,
    /// One stream for each watch.
    pub(crate) watches: VecDeque<Events>,
    /// Streams do not end after their events, and a submission beyond `submits` has no answer.
    pub(crate) is_silent: bool,
    pub(crate) keys: Vec<String>,
    pub(crate) cursors: Vec<String>,
}

/// A running fake; it ends when it is dropped.
pub(crate) struct Fake {
    pub(crate) address: String,
    pub(crate) script: Arc<Mutex<Script>>,
    _serving: JoinSet<()>,
}

impl Fake {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let script = Arc::new(Mutex::new(script));
        let service = TaskServiceServer::new(Service(script.clone()));
        let incoming = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let mut serving = JoinSet::new();
        serving.spawn(async {
            Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, script, _serving: serving }
    }
}

struct Service(Arc<Mutex<Script>>);

#[tonic::async_trait]
impl TaskService for Service {
    async fn submit_task(&self, request: Request<v1::TaskSpec>) -> Answer<v1::SubmitTaskResponse> {
        let (answer, is_silent) = {
            let mut script = self.0.lock().unwrap();
            script.keys.push(request.into_inner().idempotency_key);
            (script.submits.pop_front(), script.is_silent)
        };
        match answer {
            None if is_silent => std::future::pending().await,
            answer => answer.expect("asked once too often").map(Response::new),
        }
    }

    type WatchTaskStream = BoxStream<'static, Result<v1::WatchTaskResponse, Status>>;

    async fn watch_task(
        &self,
        request: Request<v1::WatchTaskRequest>,
    ) -> Answer<Self::WatchTaskStream> {
        let mut script = self.0.lock().unwrap();
        script.cursors.push(request.into_inner().cursor);
        let events = script.watches.pop_front().expect("watched once too often");
        let events = stream::iter(events);
        Ok(Response::new(match script.is_silent {
            true => events.chain(stream::pending()).boxed(),
            false => events.boxed(),
        }))
    }

    async fn submit_tasks(
        &self,
        _: Request<v1::SubmitTasksRequest>,
    ) -> Answer<v1::SubmitTasksResponse> {
        Err(unscripted())
    }

    async fn get_task(&self, _: Request<v1::GetTaskRequest>) -> Answer<v1::GetTaskResponse> {
        Err(unscripted())
    }

    type GetResultStream = BoxStream<'static, Result<v1::GetResultResponse, Status>>;

    async fn get_result(&self, _: Request<v1::GetResultRequest>) -> Answer<Self::GetResultStream> {
        Err(unscripted())
    }

    async fn list_tasks(&self, _: Request<v1::ListTasksRequest>) -> Answer<v1::ListTasksResponse> {
        Err(unscripted())
    }

    type WatchTasksStream = BoxStream<'static, Result<v1::WatchTasksResponse, Status>>;

    async fn watch_tasks(
        &self,
        _: Request<v1::WatchTasksRequest>,
    ) -> Answer<Self::WatchTasksStream> {
        Err(unscripted())
    }

    async fn cancel_task(
        &self,
        _: Request<v1::CancelTaskRequest>,
    ) -> Answer<v1::CancelTaskResponse> {
        Err(unscripted())
    }

    async fn retry_task(&self, _: Request<v1::RetryTaskRequest>) -> Answer<v1::RetryTaskResponse> {
        Err(unscripted())
    }
}

fn unscripted() -> Status {
    Status::unimplemented("the script does not say")
}
