//! One registration, on one connection.

use std::{future::Future, time::Duration};

use taskfleet_proto::v1::{
    DeregisterRequest, HeartbeatRequest, RegisterRequest, RegisterResponse,
    worker_registry_client::WorkerRegistryClient,
};
use taskfleet_runtime::transport::{Link, LinkError, SharedConnector};
use tonic::{Code, Response, Status, transport::Channel};

use super::LEAVE_WITHIN;
use crate::executions::Load;

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// The supervisor dials back before it answers.
const REGISTER_WITHIN: Duration = Duration::from_secs(4);
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(2);
/// Unless the supervisor names another.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(3);
/// Neither a flood nor as good as none, whatever the supervisor names.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// Why the worker is not registered, or not any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("{0}")]
    Connect(#[from] LinkError),
    #[error("the connection is gone")]
    Gone,
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("{} ({:?})", .0.message(), .0.code())]
    Status(Box<Status>),
}

impl Lost {
    /// The supervisor is there and does not want this worker as it is: someone must act.
    pub(super) fn is_refusal(&self) -> bool {
        let refusals = [
            Code::InvalidArgument,
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::FailedPrecondition,
            // Something else than a supervisor listens there.
            Code::Unimplemented,
        ];
        matches!(self, Self::Status(status) if refusals.contains(&status.code()))
    }
}

/// A registration that holds as long as its connection.
pub(super) struct Registration {
    link: Link,
    client: WorkerRegistryClient<Channel>,
    reply: RegisterResponse,
    boot_id: String,
    slots: u32,
}

impl Registration {
    /// Connects and registers.
    pub(super) async fn make(
        connector: &SharedConnector,
        supervisor: &str,
        request: RegisterRequest,
    ) -> Result<Self, Lost> {
        let link = Link::connect(connector, supervisor, CONNECT_WITHIN).await?;
        let mut client = WorkerRegistryClient::new(link.channel());
        let (boot_id, slots) = (request.boot_id.clone(), request.slots);
        let reply = bounded(REGISTER_WITHIN, client.register(request)).await?;
        Ok(Self { link, client, reply, boot_id, slots })
    }

    /// The epoch of the supervisor that answered.
    pub(super) fn epoch(&self) -> u64 {
        self.reply.epoch
    }

    /// The time between heartbeats.
    pub(super) fn interval(&self) -> Duration {
        let named = self.reply.heartbeat_interval.and_then(|wire| Duration::try_from(wire).ok());
        named.unwrap_or(DEFAULT_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }

    /// Says how busy the worker is.
    pub(super) async fn heartbeat(&mut self, load: Load) -> Result<(), Lost> {
        let request = HeartbeatRequest {
            registration_id: self.reply.registration_id.clone(),
            boot_id: self.boot_id.clone(),
            slots: self.slots,
            slots_in_use: u32::try_from(load.running).unwrap_or(u32::MAX),
            draining: load.draining,
            held: load.held as u64,
            slots_taken: u32::try_from(load.taken).unwrap_or(u32::MAX),
        };
        bounded(HEARTBEAT_WITHIN, self.client.heartbeat(request)).await.map(drop)
    }

    /// Waits until the connection is gone.
    pub(super) async fn closed(&self) {
        self.link.closed().await;
    }

    /// Takes leave. A supervisor that does not hear of it finds out by itself.
    pub(super) async fn leave(mut self) {
        let request = DeregisterRequest {
            registration_id: self.reply.registration_id,
            boot_id: self.boot_id,
        };
        if let Err(lost) = bounded(LEAVE_WITHIN, self.client.deregister(request)).await {
            tracing::debug!(reason = %lost, "could not take leave");
        }
    }
}

async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Lost> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Lost::Status(Box::new(status))),
        Err(_) => Err(Lost::Silent(limit)),
    }
}
