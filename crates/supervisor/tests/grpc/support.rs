//! A supervisor in this process, and words to ask it in.

mod gate;
mod history;
mod worker;

use std::{future::Future, net::Ipv4Addr, net::SocketAddr, sync::Arc, time::Duration};

use taskfleet_core::{Epoch, StoreId};
use taskfleet_proto::v1::{
    GetTaskRequest, Task, TaskSpec, fleet_service_client::FleetServiceClient,
    task_service_client::TaskServiceClient,
};
use taskfleet_runtime::{
    Clock, Entropy,
    transport::{TcpConnector, TcpListener},
};
use taskfleet_store::{Identity, MemoryStore, Store};
use taskfleet_supervisor::{Error, Parts, Settings, Supervisor};
use tokio::{sync::oneshot, task::JoinSet};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

pub(crate) use gate::{Fault, Gate};
pub(crate) use history::{History, now};
pub(crate) use worker::ListedWorker;

/// Longer than anything here takes, so that only a test that would never end reaches it.
const BOUND: Duration = Duration::from_secs(20);

/// A running supervisor.
pub(crate) struct Rig {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) address: SocketAddr,
    _stop: oneshot::Sender<()>,
    _running: JoinSet<Result<(), Error>>,
}

pub(crate) fn memory() -> Arc<dyn Store> {
    let identity = Identity {
        store: StoreId::from_random([1; 16]),
        epoch: Epoch::new(1_000),
        former: Epoch::new(0),
    };
    Arc::new(MemoryStore::new(identity))
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(memory(), Settings::default()).await
    }

    pub(crate) async fn start_with(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self::start_by(Clock::system(), store, settings).await
    }

    pub(crate) async fn start_by(clock: Clock, store: Arc<dyn Store>, settings: Settings) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let parts = Parts {
            listener: Box::new(TcpListener::bind(any_port).await.unwrap()),
            http: None,
            connector: Arc::new(TcpConnector),
            store: store.clone(),
            clock,
            entropy: Entropy::from_os(),
        };
        let supervisor = Supervisor::new(settings, parts).unwrap();
        let address = supervisor.local_addr();
        let (stop, stopped) = oneshot::channel();
        let mut running = JoinSet::new();
        running.spawn(supervisor.run(async {
            // Dropped or told: both mean stop.
            let _ = stopped.await;
        }));
        Self { store, address, _stop: stop, _running: running }
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel())
    }

    pub(crate) fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel())
    }

    pub(crate) async fn submit(&self, spec: TaskSpec) -> String {
        self.tasks().submit_task(spec).await.unwrap().into_inner().task_id
    }

    pub(crate) async fn get(&self, task_id: &str) -> Task {
        let request = GetTaskRequest { task_id: task_id.to_owned() };
        self.tasks().get_task(request).await.unwrap().into_inner().task.unwrap()
    }
}

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("this takes too long")
}

pub(crate) fn prompt(content: &str) -> TaskSpec {
    TaskSpec { content: content.to_owned(), ..TaskSpec::default() }
}

/// The fields that a status names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|wrong| wrong.field_violations.clone());
    violations.unwrap_or_default().into_iter().map(|violation| violation.field).collect()
}
