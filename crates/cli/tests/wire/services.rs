//! A supervisor, a worker that does not know it, and the simulated API, in this process.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use openai_sim::Sim;
use taskfleet_core::{BootId, Epoch, StoreId, TaskId};
use taskfleet_proto::{
    v1::{TaskSpec, task_service_client::TaskServiceClient},
    worker::{TaskRequest, WorkerStatus, worker_service_client::WorkerServiceClient},
};
use taskfleet_runtime::{
    Clock, Entropy,
    transport::{TcpConnector, TcpListener},
};
use taskfleet_store::{Identity, MemoryStore};
use taskfleet_supervisor::{Parts, Supervisor};
use taskfleet_worker::Worker;
use tokio::task::JoinSet;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

use crate::method::Method;

/// A task and a worker process that may be meant.
pub(crate) const TASK: &str = "01010101-0101-0101-0101-010101010101";
pub(crate) const BOOT: &str = "02020202-0202-0202-0202-020202020202";

/// For an answer's first message. What has none yet is busy with a valid request.
const PATIENCE: Duration = Duration::from_millis(100);
/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(20);

pub(crate) struct Services {
    supervisor: Channel,
    worker: Channel,
    _running: JoinSet<()>,
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

impl Services {
    pub(crate) async fn start() -> Self {
        assert_eq!(TaskId::from_bytes([1; 16]).to_string(), TASK);
        assert_eq!(BootId::from_bytes([2; 16]).to_string(), BOOT);
        let mut running = JoinSet::new();
        let sim = openai_sim::Settings { listen: any_port(), ..openai_sim::Settings::default() };
        let sim = Sim::bind(sim).await.unwrap();
        let api = sim.local_addr();
        running.spawn(async { drop(sim.run(std::future::pending()).await) });
        let worker = start_worker(&mut running, api).await;
        let supervisor = start_supervisor(&mut running).await;
        Self { supervisor: channel(supervisor), worker: channel(worker), _running: running }
    }

    /// How the call was answered; OK: with a first message, or none so far.
    pub(crate) async fn send(&self, method: &Method, message: &[u8]) -> Code {
        let channel = if method.is_workers { &self.worker } else { &self.supervisor };
        let answer = tokio::time::timeout(PATIENCE, first_message(channel, method, message)).await;
        answer.map_or(Code::Ok, |answer| answer.map_or_else(|status| status.code(), |()| Code::Ok))
    }

    /// Both do what they are there for.
    pub(crate) async fn assert_serving(&self) {
        let spec = TaskSpec { content: "hi".into(), ..TaskSpec::default() };
        let submitted = TaskServiceClient::new(self.supervisor.clone()).submit_task(spec).await;
        assert!(!submitted.unwrap().into_inner().task_id.is_empty());
        let request =
            TaskRequest { task_id: TASK.into(), content: "hi".into(), ..TaskRequest::default() };
        let working = async {
            let mut worker = WorkerServiceClient::new(self.worker.clone());
            let mut answers = worker.process_task(request).await.unwrap().into_inner();
            loop {
                let answer = answers.message().await.unwrap().expect("an end");
                if answer.status() != WorkerStatus::Processing {
                    return answer.status();
                }
            }
        };
        let ended = tokio::time::timeout(BOUND, working).await.expect("it ends");
        assert_eq!(ended, WorkerStatus::Completed);
    }
}

async fn first_message(channel: &Channel, method: &Method, message: &[u8]) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path: PathAndQuery = method.path.parse().unwrap();
    let request = Request::new(Bytes::copy_from_slice(message));
    let mut answers = grpc.server_streaming(request, path, Raw).await?.into_inner();
    answers.message().await.map(drop)
}

async fn start_worker(running: &mut JoinSet<()>, api: SocketAddr) -> SocketAddr {
    let mut settings = taskfleet_worker::Settings {
        grpc_listen: any_port(),
        http_listen: any_port(),
        supervisor: "127.0.0.1:1".into(),
        ..taskfleet_worker::Settings::default()
    };
    settings.api.base_url = format!("http://{api}/v1");
    settings.api.key = Some("sk-test-1234567890".into());
    let worker = Worker::bind_tcp(settings).await.unwrap();
    let address = worker.local_addr();
    running.spawn(async { drop(worker.run(std::future::pending()).await) });
    address
}

async fn start_supervisor(running: &mut JoinSet<()>) -> SocketAddr {
    let identity = Identity {
        store: StoreId::from_random([1; 16]),
        epoch: Epoch::new(1),
        former: Epoch::new(0),
    };
    let parts = Parts {
        listener: Box::new(TcpListener::bind(any_port()).await.unwrap()),
        http: None,
        connector: Arc::new(TcpConnector),
        store: Arc::new(MemoryStore::new(identity)),
        clock: Clock::system(),
        entropy: Entropy::from_os(),
    };
    let supervisor = Supervisor::new(taskfleet_supervisor::Settings::default(), parts).unwrap();
    let address = supervisor.local_addr();
    running.spawn(async { drop(supervisor.run(std::future::pending()).await) });
    address
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
