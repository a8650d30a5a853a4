//! What a worker registers with: it tells the test what it hears and answers as it is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use prost_types::Duration as WireDuration;
use taskfleet_proto::v1::{
    DeregisterRequest, DeregisterResponse, HeartbeatRequest, HeartbeatResponse, RegisterRequest,
    RegisterResponse,
    worker_registry_server::{WorkerRegistry, WorkerRegistryServer},
};
use taskfleet_runtime::transport::{Listener, TcpListener, bound_server, serve};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tonic::{Request, Response, Status};

use super::{bounded, localhost};

/// What a worker told its supervisor.
#[derive(Debug)]
pub(crate) enum Heard {
    Register(Box<RegisterRequest>),
    Heartbeat(HeartbeatRequest),
    Deregister(DeregisterRequest),
}

/// A registry that tells the test what it hears and answers as it is told.
struct Registry {
    heard: mpsc::Sender<Heard>,
    refuse: Arc<Mutex<Option<Status>>>,
}

pub(crate) struct FakeSupervisor {
    pub(crate) address: String,
    pub(crate) heard: mpsc::Receiver<Heard>,
    pub(crate) refuse: Arc<Mutex<Option<Status>>>,
    _server: JoinSet<()>,
}

impl Registry {
    async fn hear(&self, heard: Heard) -> Result<(), Status> {
        self.heard.send(heard).await.unwrap();
        self.refuse.lock().await.take().map_or(Ok(()), Err)
    }
}

#[tonic::async_trait]
impl WorkerRegistry for Registry {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        self.hear(Heard::Register(Box::new(request.into_inner()))).await?;
        Ok(Response::new(RegisterResponse {
            registration_id: "r1".into(),
            heartbeat_interval: Some(WireDuration { seconds: 0, nanos: 50_000_000 }),
            ..RegisterResponse::default()
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        self.hear(Heard::Heartbeat(request.into_inner())).await?;
        Ok(Response::new(HeartbeatResponse::default()))
    }

    async fn deregister(
        &self,
        request: Request<DeregisterRequest>,
    ) -> Result<Response<DeregisterResponse>, Status> {
        self.hear(Heard::Deregister(request.into_inner())).await?;
        Ok(Response::new(DeregisterResponse {}))
    }
}

impl FakeSupervisor {
    pub(crate) async fn start() -> Self {
        Self::start_at(localhost()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let (sender, heard) = mpsc::channel(100);
        let refuse = Arc::new(Mutex::new(None));
        let registry = Registry { heard: sender, refuse: Arc::clone(&refuse) };
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().to_string();
        let router = bound_server().add_service(WorkerRegistryServer::new(registry));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let never = std::future::pending();
            serve(router, Box::new(listener), never, Duration::ZERO).await.unwrap();
        });
        Self { address, heard, refuse, _server: server }
    }

    pub(crate) async fn next(&mut self) -> Heard {
        bounded(self.heard.recv()).await.unwrap()
    }

    /// The next registration; what comes before is passed over.
    pub(crate) async fn register(&mut self) -> RegisterRequest {
        loop {
            if let Heard::Register(request) = self.next().await {
                return *request;
            }
        }
    }

    /// The next heartbeat that is as wanted.
    pub(crate) async fn heartbeat(&mut self, wanted: impl Fn(&HeartbeatRequest) -> bool) {
        loop {
            if matches!(self.next().await, Heard::Heartbeat(beat) if wanted(&beat)) {
                return;
            }
        }
    }
}
