//! A worker with a simulated API behind it, and a supervisor made of bare clients.

mod counted;
mod registry;
mod stream;
mod supervisor;

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use openai_sim::Sim;
use serde_json::Value;
use taskfleet_core::{StoreId, TaskId};
use taskfleet_runtime::transport::{Link, SharedConnector, TcpConnector};
use taskfleet_worker::{ApiSettings, Error, Settings, Stop, Worker};
use tokio::{sync::oneshot, task::JoinSet};

pub(crate) use counted::CountedApi;
pub(crate) use registry::{FakeSupervisor, Heard};
pub(crate) use stream::{Last, Messages, code};
pub(crate) use supervisor::Supervisor;

/// Longer than anything here takes, so that only a test that would never end reaches it.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// A worker in this process, and the API that it calls.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) boot_id: String,
    sim: SocketAddr,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<Stop>>,
    worker: JoinSet<Result<(), Error>>,
    _sim: JoinSet<io::Result<()>>,
}

pub(crate) fn localhost() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Settings of a worker whose supervisor is nowhere.
pub(crate) fn settings() -> Settings {
    Settings {
        grpc_listen: localhost(),
        http_listen: localhost(),
        supervisor: "127.0.0.1:1".into(),
        ..Settings::default()
    }
}

/// A simulated API with so many requests and tokens a minute.
pub(crate) fn limited_sim(requests: u32, tokens: u32) -> openai_sim::Settings {
    let limits = openai_sim::Limits {
        requests: Some(requests),
        tokens: Some(tokens),
        ..openai_sim::Limits::default()
    };
    openai_sim::Settings { limits, ..openai_sim::Settings::default() }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(settings()).await
    }

    pub(crate) async fn start_with(settings: Settings) -> Self {
        Self::start_before(settings, openai_sim::Settings::default()).await
    }

    /// A worker before a simulated API of these settings.
    pub(crate) async fn start_before(mut settings: Settings, sim: openai_sim::Settings) -> Self {
        let sim = openai_sim::Settings { listen: localhost(), ..sim };
        let sim = Sim::bind(sim).await.unwrap();
        let api = sim.local_addr();
        let mut sims = JoinSet::new();
        sims.spawn(sim.run(std::future::pending()));
        if settings.api.base_url == ApiSettings::default().base_url {
            settings.api.base_url = format!("http://{api}/v1");
            settings.api.key = Some("sk-test-1234567890".into());
        }
        let worker = Worker::bind_tcp(settings).await.unwrap();
        let (address, boot_id) = (worker.local_addr(), worker.boot_id().to_string());
        let (stop, stopped) = oneshot::channel();
        let mut workers = JoinSet::new();
        workers.spawn(worker.run(async { stopped.await.unwrap_or(Stop::Quick) }));
        Self {
            address,
            boot_id,
            sim: api,
            http: reqwest::Client::new(),
            stop: Some(stop),
            worker: workers,
            _sim: sims,
        }
    }

    /// Asks the worker to stop.
    pub(crate) fn ask_to_stop(&mut self, how: Stop) {
        self.stop.take().unwrap().send(how).unwrap();
    }

    /// Waits until it has.
    pub(crate) async fn stopped(mut self) -> Result<(), Error> {
        bounded(self.worker.join_next()).await.unwrap().unwrap()
    }

    pub(crate) async fn link(&self) -> Link {
        let connector: SharedConnector = std::sync::Arc::new(TcpConnector);
        Link::connect(&connector, &self.address.to_string(), BOUND).await.unwrap()
    }

    /// A supervisor that has adopted the worker.
    pub(crate) async fn supervisor(&self) -> Supervisor {
        let mut supervisor = Supervisor::new(self, store(1), 1).await;
        supervisor.adopt().await.unwrap();
        supervisor
    }

    /// What the API counted; `path` is empty or `/task.lease`.
    pub(crate) async fn calls(&self) -> Value {
        let url = format!("http://{}/sim/calls", self.sim);
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Asks for the counts until they are as wanted.
    pub(crate) async fn until_calls(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        bounded(async {
            loop {
                let calls = self.calls().await;
                if wanted(&calls) {
                    return calls;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Waits until so many calls have come and so many of them are open.
    pub(crate) async fn until_open(&self, total: u64, open: u64) {
        self.until_calls(|calls| calls["total"] == total && calls["open"] == open).await;
    }
}

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("this takes too long")
}

pub(crate) fn store(number: u8) -> StoreId {
    StoreId::from_bytes([number; 16])
}

pub(crate) fn task(number: u8) -> String {
    TaskId::from_bytes([number; 16]).to_string()
}
