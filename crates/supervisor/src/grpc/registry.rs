//! WorkerRegistry: how a worker joins the fleet and stays in it.

use std::{net::IpAddr, sync::Arc};

use taskfleet_core::{BootId, limits};
use taskfleet_proto::{
    FieldError, PROTOCOL_VERSION, parse_id,
    v1::{self, worker_registry_server::WorkerRegistry},
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    engine::Engine,
    fleet::{Description, DialError},
};

/// Serves WorkerRegistry.
pub(crate) struct RegistryApi {
    pub(crate) engine: Arc<Engine>,
}

/// What a worker takes that announced nothing: gRPC's own default.
const DEFAULT_REQUEST_BYTES: u64 = 4 << 20;

#[async_trait]
impl WorkerRegistry for RegistryApi {
    async fn register(
        &self,
        request: Request<v1::RegisterRequest>,
    ) -> Result<Response<v1::RegisterResponse>, Status> {
        if self.engine.tasks.is_stopping() {
            return Err(Status::unavailable("the supervisor is stopping"));
        }
        let peer = request.remote_addr().map(|addr| addr.ip().to_canonical());
        let request = request.into_inner();
        let protocol = agree_on_protocol(&request)?;
        let boot_id: BootId = parse_id("boot_id", &request.boot_id)?;
        let told_a_token = !request.join_token.is_empty();
        let description = self.describe(request, peer)?;
        if told_a_token {
            tracing::warn!(
                worker = description.name,
                "a worker sent a join token; none is checked"
            );
        }
        let address = description.address.clone();
        let registration = self.engine.join(boot_id, description).await;
        let registration = registration.map_err(|error| dial_back_failed(&address, &error))?;
        let caller = &self.engine.caller;
        Ok(Response::new(v1::RegisterResponse {
            store_id: caller.store_id.clone(),
            supervisor_id: caller.supervisor_id.clone(),
            epoch: caller.epoch,
            registration_id: registration.to_string(),
            heartbeat_interval: Some(prost_types::Duration {
                seconds: i64::try_from(self.engine.settings.heartbeat_seconds).unwrap_or(3),
                nanos: 0,
            }),
            protocol,
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let registration = parse_id("registration_id", &request.registration_id)?;
        let member = self.engine.fleet.registered(registration);
        let member = member.filter(|member| member.boot_id.to_string() == request.boot_id);
        let member = member.ok_or_else(|| {
            Status::not_found("registration_id: is not known here: register again")
        })?;
        let slots = request.slots.min(limits::MAX_SLOTS);
        member.beat(&self.engine, slots, request.draining);
        Ok(Response::new(v1::HeartbeatResponse {
            epoch: self.engine.caller.epoch,
            supervisor_id: self.engine.caller.supervisor_id.clone(),
        }))
    }

    async fn deregister(
        &self,
        request: Request<v1::DeregisterRequest>,
    ) -> Result<Response<v1::DeregisterResponse>, Status> {
        let registration = parse_id("registration_id", &request.get_ref().registration_id)?;
        if let Some(member) = self.engine.fleet.registered(registration) {
            member.beat(&self.engine, 0, true);
        }
        Ok(Response::new(v1::DeregisterResponse {}))
    }
}

impl RegistryApi {
    fn describe(
        &self,
        request: v1::RegisterRequest,
        peer: Option<IpAddr>,
    ) -> Result<Description, FieldError> {
        if !(1..=limits::MAX_SLOTS).contains(&request.slots) {
            let problem = format!("must be from 1 to {}", limits::MAX_SLOTS);
            return Err(FieldError::new("slots", problem));
        }
        let address = reachable_address(&request.address, peer)?;
        let name = if request.name.is_empty() { address.clone() } else { request.name };
        let announced = request.max_request_bytes;
        Ok(Description {
            name,
            address,
            slots: request.slots,
            models: request.models,
            features: request.features,
            max_request_bytes: if announced == 0 { DEFAULT_REQUEST_BYTES } else { announced },
            account: request.account,
            version: request.version,
            draining: false,
            registered_at: self.engine.time.now(),
            foreign_held: 0,
        })
    }
}

/// The advertised address, or the peer's with the advertised port.
fn reachable_address(address: &str, peer: Option<IpAddr>) -> Result<String, FieldError> {
    let wrong = || FieldError::new("address", "must be host:port, or :port for the caller's host");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    match (host, peer) {
        ("", None) => Err(wrong()),
        ("", Some(IpAddr::V6(peer))) => Ok(format!("[{peer}]:{port}")),
        ("", Some(IpAddr::V4(peer))) => Ok(format!("{peer}:{port}")),
        (host, _) => Ok(format!("{host}:{port}")),
    }
}

fn agree_on_protocol(request: &v1::RegisterRequest) -> Result<u32, Status> {
    if (request.protocol_min..=request.protocol_max).contains(&PROTOCOL_VERSION) {
        return Ok(PROTOCOL_VERSION);
    }
    Err(Status::failed_precondition(format!(
        "protocol_min: this supervisor speaks protocol version {PROTOCOL_VERSION}, the worker \
         {} to {}",
        request.protocol_min, request.protocol_max
    )))
}

fn dial_back_failed(address: &str, error: &DialError) -> Status {
    let message = format!("address: dialling the worker back at {address} failed: {error}");
    match error {
        DialError::Refused | DialError::Unreachable(_) | DialError::OtherProcess => {
            Status::failed_precondition(format!(
                "{message}; announce an address where the supervisor reaches this very process"
            ))
        }
        DialError::Silent => Status::unavailable(message),
        DialError::Unwilling(_) => Status::failed_precondition(message),
    }
}
