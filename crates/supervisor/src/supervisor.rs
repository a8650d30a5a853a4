//! Bind, then run: one page that wires the parts together.

use std::{future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use taskfleet_core::SupervisorId;
use taskfleet_proto::{
    DESCRIPTORS,
    v1::{
        self, fleet_service_server::FleetServiceServer, task_service_server::TaskServiceServer,
        worker_registry_server::WorkerRegistryServer,
    },
};
use taskfleet_runtime::{
    Clock, Entropy, Tasks,
    health::{Health, Readiness},
    http::{self, Told},
    process,
    settings::InvalidSettings,
    telemetry::FLUSH_WITHIN,
    transport::{BoxedListener, SharedConnector, bound_server, serve},
};
use taskfleet_store::{Store, StoreError};
use tonic::transport::server::Router;

use crate::{
    dispatcher,
    engine::{Engine, Time},
    grpc::{Bodies, Bounded, FleetApi, RegistryApi, TaskApi},
    hub::Hub,
    local::{self, Home},
    metrics::Figures,
    recovery, retention,
    settings::Settings,
    sweep, watchdog,
};

/// The services whose health is told by name.
const SERVICES: &[&str] =
    &["taskfleet.v1.TaskService", "taskfleet.v1.FleetService", "taskfleet.v1.WorkerRegistry"];

/// The whole budget to stop in: what Docker grants before it kills.
pub const SHUTDOWN_BUDGET: Duration = Duration::from_secs(10);
/// Of it, this goes to open calls …
const GRACE_FOR_CALLS: Duration = Duration::from_secs(5);
/// … and this to settling what has arrived; the rest is for the last spans.
const GRACE_FOR_SETTLING: Duration = Duration::from_secs(3);
const _: () = assert!(
    GRACE_FOR_CALLS.as_millis() + GRACE_FOR_SETTLING.as_millis() + FLUSH_WITHIN.as_millis()
        <= SHUTDOWN_BUDGET.as_millis()
);
/// The largest submission: 64 MiB of tasks and what stands around them.
pub(crate) const MAX_REQUEST_BYTES: usize = 72 << 20;

/// What a supervisor is made of, besides its settings.
pub struct Parts {
    /// Where its services listen.
    pub listener: BoxedListener,
    /// Where it tells of itself over HTTP; none: nowhere.
    pub http: Option<BoxedListener>,
    /// How it reaches workers.
    pub connector: SharedConnector,
    /// Where tasks are kept.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
}

/// Why a supervisor stopped when it was not asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be read.
    #[error("settings: {0}")]
    Unreadable(#[from] InvalidSettings),
    /// A setting does not fit.
    #[error("settings: {0}")]
    Settings(String),
    /// The port cannot be had.
    #[error("cannot listen: {0}")]
    Listen(io::Error),
    /// The store failed: the process must end and go on from the file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store failed while it was in use: the process must end and go on from the file.
    #[error("{}: {error}: start again, it goes on from the file; damaged, from a backup", path.display())]
    StoreInUse {
        /// The store's file.
        path: PathBuf,
        /// What went wrong.
        error: StoreError,
    },
    /// The listener failed.
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
    /// A background task ended that must not.
    #[error("the {0} ended unexpectedly")]
    CriticalTask(&'static str),
}

impl process::Failure for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable(_) | Self::Settings(_) => 2,
            _ => 1,
        }
    }
}

/// A supervisor that has its port and its store, and does nothing yet.
pub struct Supervisor {
    engine: Arc<Engine>,
    listener: BoxedListener,
    http: Option<BoxedListener>,
}

impl Supervisor {
    /// Puts the parts together.
    ///
    /// # Errors
    /// Names the setting that does not fit.
    pub fn new(settings: Settings, parts: Parts) -> Result<Self, Error> {
        settings.check().map_err(Error::Settings)?;
        let identity = parts.store.identity();
        let supervisor_id = SupervisorId::from_random(parts.entropy.bytes());
        let readiness = Readiness::starting();
        let engine = Engine {
            home: Home::new(&identity.store.to_string(), &settings.store),
            settings,
            metrics: Figures::new(readiness.clone(), &parts.store),
            readiness,
            hub: Hub::new(parts.store.last_outcome()),
            caller: v1::Caller {
                store_id: identity.store.to_string(),
                supervisor_id: supervisor_id.to_string(),
                epoch: identity.epoch.number(),
            },
            store: parts.store,
            board: crate::board::Board::default(),
            executions: crate::executions::Executions::default(),
            fleet: crate::fleet::Fleet::default(),
            connector: parts.connector,
            entropy: parts.entropy,
            tasks: Tasks::default(),
            time: Time::starting(parts.clock),
            awaited: recovery::Awaited::default(),
            superseded: crate::superseded::Superseded::default(),
            turns: 0.into(),
        };
        Ok(Self { engine: Arc::new(engine), listener: parts.listener, http: parts.http })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Runs until `stop`, then settles what arrives and leaves the rest with the workers.
    ///
    /// # Errors
    /// When it cannot go on; see [`Error`].
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { engine, listener, http } = self;
        let told = Told {
            readiness: engine.readiness.clone(),
            metrics: engine.metrics.all(),
            measured: engine.clone(),
        };
        http::tell_during(http, told, live(engine, listener, stop)).await
    }
}

/// Recovers, serves until `stop`, and stops.
async fn live(
    engine: Arc<Engine>,
    listener: BoxedListener,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (health, router) = router(&engine).await?;
    recovery::begin(&engine).await?;
    spawn_all(&engine, listener.local_addr());
    let stopping = engine.tasks.clone();
    let server = serve(router, listener, async move { stopping.stopping().await }, GRACE_FOR_CALLS);
    let mut server = std::pin::pin!(server);
    engine.readiness.started();
    let ended = tokio::select! {
        () = stop => Ok(()),
        never = engine.readiness.show(&health) => match never {},
        served = &mut server => served.map(drop).map_err(Error::from),
        error = engine.store.broken() => Err(error.into()),
        name = engine.tasks.critical_failure() => Err(Error::CriticalTask(name)),
    };
    engine.readiness.stopping();
    health.set_ready(false).await;
    engine.tasks.stop();
    if ended.is_ok() {
        server.await?;
    }
    tracing::info!(running = engine.executions.len(), "stopping; workers keep what runs");
    engine.tasks.finished(GRACE_FOR_SETTLING).await;
    ended
}

/// Everything that goes on in the background.
fn spawn_all(engine: &Arc<Engine>, listens: SocketAddr) {
    for listed in &engine.settings.static_workers {
        engine.stand_static(listed);
    }
    let tasks = &engine.tasks;
    tasks.spawn_critical("dispatcher", dispatcher::run(engine.clone()));
    tasks.spawn_critical("watch over the dispatcher", watchdog::dispatcher(engine.clone()));
    tasks.spawn_critical("watch over the store", watchdog::store(engine.clone()));
    tasks.spawn_critical("deadline sweep", sweep::deadlines(engine.clone()));
    tasks.spawn_critical("pruning", retention::prune(engine.clone()));
    tasks.spawn_critical("difference sweep", sweep::differences(engine.clone()));
    // Also when none is wanted: those of an earlier supervisor end then.
    tasks.spawn_critical("keeper of local workers", local::keep(engine.clone(), listens));
}

async fn router(engine: &Arc<Engine>) -> Result<(Health, Router), Error> {
    let (health, health_service) = Health::new(SERVICES).await;
    let reflection = || {
        let known = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        // The descriptors know the workers' services too, which are not served here.
        SERVICES.iter().fold(known, |known, service| known.with_service_name(*service))
    };
    let wrong = |error: tonic_reflection::server::Error| Error::Settings(error.to_string());
    let tasks = TaskServiceServer::new(TaskApi { engine: engine.clone() })
        .max_decoding_message_size(MAX_REQUEST_BYTES);
    let router = bound_server()
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(wrong)?)
        .add_service(reflection().build_v1alpha().map_err(wrong)?)
        .add_service(Bounded::new(tasks, Bodies::default()))
        .add_service(FleetServiceServer::new(FleetApi { engine: engine.clone() }))
        .add_service(WorkerRegistryServer::new(RegistryApi::new(engine.clone())));
    Ok((health, router))
}
