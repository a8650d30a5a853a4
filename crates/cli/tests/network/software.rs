//! What runs on the machines: the real services, on simulated transport, time, randomness,
//! store and model API.

use std::{net::IpAddr, sync::Arc, time::Duration};

use taskfleet_core::Timestamp;
use taskfleet_runtime::{
    Clock, Entropy,
    transport::{BoxedListener, SharedConnector},
};
use taskfleet_supervisor::Supervisor;
use taskfleet_worker::{Stop, Worker};

use crate::{
    api::SimApi,
    chance::Chance,
    machines::Process,
    net::{SimConnector, SimListener},
    plan::Host,
    world::Shared,
};

pub(crate) const SUPERVISOR_PORT: u16 = 50_051;
pub(crate) const WORKER_PORT: u16 = 50_052;

/// How long a worker that is asked to stop lets its calls go on: shorter than many calls, so
/// that some are handed back.
const WORKER_GRACE: Duration = Duration::from_secs(2);

/// One process of the supervisor, until it ends or its machine drops it.
pub(crate) async fn supervisor(shared: Shared) -> turmoil::Result {
    let Some(process) = shared.machines.begin(Host::Supervisor) else { return down().await };
    let (clock, entropy) = (shared.clock(Host::Supervisor), shared.entropy(&process));
    let store = shared.disk.open(Timestamp::from_unix_millis(clock.unix_millis()));
    let parts = taskfleet_supervisor::Parts {
        listener: shared.listen(Host::Supervisor, SUPERVISOR_PORT).await?,
        http: None,
        connector: shared.connector(Host::Supervisor),
        store: Arc::new(store),
        clock,
        entropy,
    };
    let supervisor = Supervisor::new(taskfleet_supervisor::Settings::default(), parts)?;
    supervisor.run(process.stop.cancelled()).await?;
    over(&shared, &process).await
}

/// One process of a worker.
pub(crate) async fn worker(shared: Shared, index: usize) -> turmoil::Result {
    let host = Host::Worker(index);
    let Some(process) = shared.machines.begin(host) else { return down().await };
    let api = SimApi {
        worker: index,
        plan: shared.plan.clone(),
        ledger: shared.ledger.clone(),
        journal: shared.journal.clone(),
    };
    let parts = taskfleet_worker::Parts {
        listener: shared.listen(host, WORKER_PORT).await?,
        http: None,
        connector: shared.connector(host),
        api: Arc::new(api),
        clock: shared.clock(host),
        entropy: shared.entropy(&process),
    };
    let settings = taskfleet_worker::Settings {
        supervisor: format!("{}:{SUPERVISOR_PORT}", Host::Supervisor),
        name: host.name(),
        slots: shared.plan.workers[index],
        shutdown_grace: WORKER_GRACE,
        ..taskfleet_worker::Settings::default()
    };
    let stop = async {
        process.stop.cancelled().await;
        Stop::Clean
    };
    Worker::bind(settings, parts)?.run(stop).await?;
    over(&shared, &process).await
}

/// The process ended by itself; its machine takes down what is left of it.
async fn over(shared: &Shared, process: &Process) -> turmoil::Result {
    shared.journal.note(format!("{} has stopped", process.host));
    shared.machines.ended(process);
    down().await
}

/// No process runs here.
async fn down() -> turmoil::Result {
    std::future::pending().await
}

impl Shared {
    pub(crate) fn connector(&self, host: Host) -> SharedConnector {
        let own: IpAddr = turmoil::lookup(host.name());
        Arc::new(SimConnector { own, network: self.network.clone() })
    }

    async fn listen(&self, host: Host, port: u16) -> std::io::Result<BoxedListener> {
        let own: IpAddr = turmoil::lookup(host.name());
        Ok(Box::new(SimListener::bind(own, self.network.clone(), port).await?))
    }

    /// A wall clock of its own, which may jump.
    fn clock(&self, host: Host) -> Clock {
        let machines = self.machines.clone();
        Clock::with_wall(move || machines.wall(host, turmoil::sim_elapsed().unwrap_or_default()))
    }

    fn entropy(&self, process: &Process) -> Entropy {
        let name = format!("{} {}", process.host, process.number);
        Entropy::seeded(Chance::of(self.plan.seed, &name).next())
    }
}
