//! The client's connection to the supervisor, made anew when it breaks.

use std::{cell::RefCell, time::Duration};

use taskfleet_proto::v1::{
    fleet_service_client::FleetServiceClient, task_service_client::TaskServiceClient,
};
use taskfleet_runtime::transport::{Link, SharedConnector};
use tonic::{Code, Response, Status, transport::Channel};

use crate::{
    chance::Chance, journal::Journal, plan::Host, software::SUPERVISOR_PORT, world::Shared,
};

/// A supervisor that does not answer for so long is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    connector: SharedConnector,
    link: RefCell<Option<Link>>,
    chance: RefCell<Chance>,
    journal: Journal,
}

/// A connection that stood a moment ago.
pub(super) struct Connected(Link);

impl Connected {
    pub(super) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.0.channel())
    }

    pub(super) fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.0.channel())
    }
}

impl Connection {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            connector: shared.connector(Host::Client),
            link: RefCell::default(),
            chance: RefCell::new(Chance::of(shared.plan.seed, "client")),
            journal: shared.journal.clone(),
        }
    }

    pub(super) fn connector(&self) -> &SharedConnector {
        &self.connector
    }

    /// Asks until there is an answer.
    pub(super) async fn ask<T>(
        &self,
        call: impl AsyncFn(Connected) -> Result<Response<T>, Status>,
    ) -> T {
        loop {
            if let Some(answer) = self.ask_once(&call).await {
                return answer;
            }
            self.pause().await;
        }
    }

    /// Asks once; a stream is open then.
    pub(super) async fn ask_once<T>(
        &self,
        call: impl AsyncFn(Connected) -> Result<Response<T>, Status>,
    ) -> Option<T> {
        let link = self.link().await?;
        match tokio::time::timeout(ANSWER_WITHIN, call(Connected(link))).await {
            Ok(Ok(answer)) => return Some(answer.into_inner()),
            Ok(Err(status)) => self.judge(&status),
            Err(_) => self.give_up(),
        }
        None
    }

    /// Whatever broke is tried again; an answer of another kind is none that was earned.
    pub(super) fn judge(&self, status: &Status) {
        let broke = std::error::Error::source(status).is_some();
        if !broke && status.code() != Code::Unavailable {
            self.journal.violation(format!("the client was refused: {status:?}"));
        }
    }

    /// This connection leads nowhere.
    pub(super) fn give_up(&self) {
        *self.link.borrow_mut() = None;
    }

    pub(super) async fn pause(&self) {
        let pause = self.chance.borrow_mut().millis(50, 400);
        tokio::time::sleep(pause).await;
    }

    async fn link(&self) -> Option<Link> {
        let known = self.link.borrow().clone().filter(|link| !link.is_closed());
        if known.is_some() {
            return known;
        }
        let address = format!("{}:{SUPERVISOR_PORT}", Host::Supervisor);
        let link = Link::connect(&self.connector, &address, CONNECT_WITHIN).await.ok()?;
        *self.link.borrow_mut() = Some(link.clone());
        Some(link)
    }
}
