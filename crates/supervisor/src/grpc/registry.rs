//! WorkerRegistry: how a worker joins the fleet and stays in it.

use std::{net::IpAddr, sync::Arc};

use taskfleet_core::limits;
use taskfleet_proto::{
    FieldError, PROTOCOL_VERSION, Registration, parse_id, read_registration,
    v1::{self, worker_registry_server::WorkerRegistry},
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    engine::Engine,
    fleet::{Beat, Description, DialError, Joined, Local},
    grpc::refusals::Refusals,
    local::is_local,
    superseded,
    trust::{Trust, check_token},
};

/// Serves WorkerRegistry.
pub(crate) struct RegistryApi {
    engine: Arc<Engine>,
    refusals: Refusals,
}

#[async_trait]
impl WorkerRegistry for RegistryApi {
    async fn register(
        &self,
        request: Request<v1::RegisterRequest>,
    ) -> Result<Response<v1::RegisterResponse>, Status> {
        if self.engine.tasks.is_stopping() {
            return Err(Status::unavailable("the supervisor is stopping"));
        }
        if self.engine.stands_back() {
            return Err(Status::unavailable(superseded::WORDS));
        }
        let peer = request.remote_addr().map(|addr| addr.ip().to_canonical());
        let registered = self.take(request.into_inner(), peer).await;
        let (joined, protocol) = registered.inspect_err(|status| {
            self.refusals.tell(peer, status);
        })?;
        let caller = &self.engine.caller;
        Ok(Response::new(v1::RegisterResponse {
            store_id: caller.store_id.clone(),
            supervisor_id: caller.supervisor_id.clone(),
            epoch: caller.epoch,
            registration_id: joined.registration.to_string(),
            heartbeat_interval: Some(prost_types::Duration {
                seconds: i64::try_from(self.engine.settings.heartbeat_seconds).unwrap_or(3),
                nanos: 0,
            }),
            protocol: if joined.speaks_all { protocol } else { 0 },
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let registration = parse_id("registration_id", &request.registration_id)?;
        let registrant = self.engine.fleet.registered(registration);
        let registrant = registrant.filter(|known| known.may_be(&request.boot_id));
        let beat = Beat {
            slots: request.slots.min(limits::MAX_SLOTS),
            taken: request.slots_taken,
            draining: request.draining,
        };
        if !registrant.is_some_and(|known| known.beat(&self.engine, beat)) {
            let problem = "registration_id: is not known here: register again";
            return Err(Status::not_found(problem));
        }
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
        let registrant = self.engine.fleet.registered(registration);
        if let Some(registrant) =
            registrant.filter(|known| known.may_be(&request.get_ref().boot_id))
        {
            registrant.beat(&self.engine, Beat { slots: 0, taken: 0, draining: true });
        }
        Ok(Response::new(v1::DeregisterResponse {}))
    }
}

impl RegistryApi {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, refusals: Refusals::default() }
    }

    async fn take(
        &self,
        request: v1::RegisterRequest,
        peer: Option<IpAddr>,
    ) -> Result<(Joined, u32), Status> {
        let demanded = self.engine.settings.join_token.as_ref();
        // Before anything else is said: a stranger learns nothing here.
        let trust = check_token(demanded, &request.join_token)?;
        let protocol = agree_on_protocol(&request)?;
        let ignored = demanded.is_none() && !request.join_token.is_empty();
        let registration = read_registration(request, peer);
        let registration = registration.map_err(|errors| FieldError::status(&errors))?;
        if ignored {
            tracing::warn!(
                worker = registration.name,
                "a worker sent a join token; none is demanded here"
            );
        }
        let (boot_id, address) = (registration.boot_id, registration.address.clone());
        let joined = self.engine.join(boot_id, self.describe(registration, trust)).await;
        let joined = joined.map_err(|error| dial_back_failed(&address, &error))?;
        Ok((joined, protocol))
    }

    fn describe(&self, said: Registration, trust: Trust) -> Description {
        let local = said.local.filter(|local| is_local(&self.engine, local));
        Description {
            local: local.map(|local| Local { number: local.number, pid: local.pid }),
            account: self.engine.account_of(trust, said.account, &said.provider),
            name: said.name,
            address: said.address,
            slots: said.slots,
            models: said.models,
            features: said.features,
            max_request_bytes: said.max_request_bytes,
            version: said.version,
            registered_at: self.engine.time.now(),
            registered: true,
            trust,
            ..Description::default()
        }
    }
}

fn agree_on_protocol(request: &v1::RegisterRequest) -> Result<u32, Status> {
    // Nothing said: the published messages, which have no versions.
    if (request.protocol_min, request.protocol_max) == (0, 0) {
        return Ok(PROTOCOL_VERSION);
    }
    if request.protocol_min > request.protocol_max || request.protocol_max == 0 {
        let problem = "must be the lowest and the highest version that the worker speaks, from 1";
        return Err(FieldError::new("protocol_min, protocol_max", problem).into());
    }
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
        DialError::Refused
        | DialError::Unreachable(_)
        | DialError::OtherProcess
        | DialError::SeveralProcesses => Status::failed_precondition(format!(
            "{message}; announce an address where the supervisor reaches this very process"
        )),
        DialError::Silent | DialError::GivenUpStill | DialError::Superseded => {
            Status::unavailable(message)
        }
        DialError::Unwilling(_) | DialError::PublishedOnly => Status::failed_precondition(message),
    }
}
