//! A worker: bind, then run.

mod announce;
mod serve;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use taskfleet_core::BootId;
use taskfleet_runtime::{
    Clock, Entropy, Finished, Tasks,
    health::{Health, Readiness},
    http,
    transport::{self, BoxedListener, SharedConnector, TcpConnector, TcpListener},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, OpenAi, Settings, Stop,
    api::SharedApi,
    executions::Executions,
    membership::{LEAVE_WITHIN, Membership},
    metrics::Figures,
    shutdown,
};

/// What a worker is put together from; a simulation brings its own.
pub struct Parts {
    /// Takes the supervisor's connections.
    pub listener: BoxedListener,
    /// Where the worker tells of itself over HTTP; none: nowhere.
    pub http: Option<BoxedListener>,
    /// Connects to the supervisor.
    pub connector: SharedConnector,
    /// The model API.
    pub api: SharedApi,
    /// Time.
    pub clock: Clock,
    /// Randomness, for the boot id and backoffs.
    pub entropy: Entropy,
}

/// A worker that has its port.
pub struct Worker {
    settings: Settings,
    parts: Parts,
    boot_id: BootId,
}

impl Worker {
    /// A worker of these parts. It answers once [`Worker::run`] runs.
    ///
    /// # Errors
    /// When the settings make no sense.
    pub fn bind(settings: Settings, parts: Parts) -> Result<Self, Error> {
        settings.check()?;
        let boot_id = BootId::from_random(parts.entropy.bytes());
        Ok(Self { settings, parts, boot_id })
    }

    /// A worker on TCP that calls the API of its settings.
    ///
    /// # Errors
    /// When the settings make no sense or the port cannot be had.
    pub async fn bind_tcp(settings: Settings) -> Result<Self, Error> {
        let clock = Clock::system();
        let api = OpenAi::new(&settings.api, clock.clone())?;
        let listener = TcpListener::bind_for("grpc_listen", settings.grpc_listen).await;
        let teller = TcpListener::bind_for("http_listen", settings.http_listen).await;
        let parts = Parts {
            listener: Box::new(listener.map_err(Error::Listen)?),
            http: Some(Box::new(teller.map_err(Error::Listen)?)),
            connector: Arc::new(TcpConnector),
            api: Arc::new(api),
            clock,
            entropy: Entropy::from_os(),
        };
        Self::bind(settings, parts)
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.parts.listener.local_addr()
    }

    /// Where it tells of itself over HTTP, if it does.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.parts.http.as_ref().map(|listener| listener.local_addr())
    }

    /// This process's identity.
    #[must_use]
    pub fn boot_id(&self) -> BootId {
        self.boot_id
    }

    /// Serves until `stop`, then stops as it says.
    ///
    /// # Errors
    /// When the server or another part without which nothing goes on fails.
    pub async fn run(self, stop: impl Future<Output = Stop>) -> Result<(), Error> {
        let announcement = announce::announcement(&self.settings, self.boot_id, self.local_addr());
        let Self { settings, parts, boot_id } = self;
        let tasks = Tasks::default();
        // Also when this future is dropped: nothing of it goes on.
        let _stopped = StopOnDrop(tasks.clone());
        let bounds = settings.bounds();
        let figures = Arc::new(Figures::new(bounds));
        let Parts { listener, http, connector, api, clock, entropy } = parts;
        let executions = Executions::new(bounds, api, tasks.clone(), clock, figures.clone());
        let load = executions.load();
        let membership =
            Membership::new(announcement, connector, entropy, load.clone(), figures.clone());
        let (router, health) = serve::services(boot_id, &executions).await;
        let life = Life {
            given_up: membership.given_up(),
            grace: settings.shutdown_grace,
            tasks: tasks.clone(),
            executions: executions.clone(),
            health,
            readiness: figures.readiness().clone(),
        };
        tasks.spawn_critical("membership", membership.run(tasks.clone()));
        tasks.spawn_critical("expiry", expire(tasks.clone(), executions));
        let stopping = tasks.clone();
        let closing = async move { stopping.stopping().await };
        let serving = async {
            let limit = shutdown::CLOSE_WITHIN;
            Ok(transport::serve(router, listener, closing, limit).await?)
        };
        let living = async { tokio::try_join!(serving, life.until(stop)).map(drop) };
        http::tell_during(http, figures.told(load), living).await?;
        if tasks.finished(LEAVE_WITHIN).await == Finished::OutOfTime {
            tracing::warn!("some tasks did not end in time");
        }
        Ok(())
    }
}

/// A running worker's readiness, and how it ends.
struct Life {
    health: Health,
    executions: Executions,
    tasks: Tasks,
    grace: Duration,
    given_up: CancellationToken,
    readiness: Readiness,
}

impl Life {
    async fn until(self, stop: impl Future<Output = Stop>) -> Result<(), Error> {
        let ended = tokio::select! {
            never = self.readiness.show(&self.health) => match never {},
            how = stop => Ok(how),
            () = self.given_up.cancelled() => Ok(Stop::Quick),
            part = self.tasks.critical_failure() => Err(Error::Part(part)),
        };
        self.readiness.stopping();
        let how = *ended.as_ref().unwrap_or(&Stop::Quick);
        shutdown::stop(how, self.grace, &self.health, &self.executions).await;
        self.tasks.stop();
        ended.map(drop)
    }
}

async fn expire(tasks: Tasks, executions: Executions) {
    tokio::select! {
        () = executions.expire_for_ever() => {}
        () = tasks.stopping() => {}
    }
}

struct StopOnDrop(Tasks);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
