//! A listed worker that answers when a test says so.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::{Stream, stream};
use taskfleet_proto::worker::{
    TaskRequest, TaskResponse, WorkerStatus,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use taskfleet_supervisor::{Settings, StaticWorker};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, async_trait, transport::Server};

/// It knows the published messages only.
pub(crate) struct ListedWorker {
    address: SocketAddr,
    calls: Arc<AtomicU32>,
    _serving: JoinSet<()>,
}

struct Service {
    calls: Arc<AtomicU32>,
    answers: Arc<Semaphore>,
}

impl ListedWorker {
    /// Starts one; each permit of `answers` lets one call end.
    pub(crate) async fn start(answers: &Arc<Semaphore>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::<AtomicU32>::default();
        let service = Service { calls: calls.clone(), answers: answers.clone() };
        let router = Server::builder().add_service(WorkerServiceServer::new(service));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            router.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { address, calls, _serving: serving }
    }

    /// Settings of a supervisor that lists it.
    pub(crate) fn listed(&self) -> Settings {
        let worker = StaticWorker { address: self.address.to_string(), slots: 1 };
        Settings { static_workers: vec![worker], ..Settings::default() }
    }

    /// How many calls have begun.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl WorkerService for Service {
    type ProcessTaskStream = Pin<Box<dyn Stream<Item = Result<TaskResponse, Status>> + Send>>;

    async fn process_task(
        &self,
        request: Request<TaskRequest>,
    ) -> Result<Response<Self::ProcessTaskStream>, Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let task_id = request.into_inner().task_id;
        let answers = self.answers.clone();
        let answer = async move {
            answers.acquire_owned().await.unwrap().forget();
            let result = "answered".to_owned();
            let status = WorkerStatus::Completed.into();
            Ok(TaskResponse { task_id, result, status, ..TaskResponse::default() })
        };
        Ok(Response::new(Box::pin(stream::once(answer))))
    }
}
