//! Registers, and stays registered.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tonic::transport::Endpoint;

use crate::{
    BOOT_ID,
    wire::v1::{HeartbeatRequest, RegisterRequest, worker_registry_client::WorkerRegistryClient},
};

const SLOTS: u32 = 4;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// Registers for ever, and heartbeats as long as that is known.
pub(crate) async fn keep(supervisor: String, address: String) {
    loop {
        // A supervisor that is away or refuses is asked again.
        let _ = be_member(&supervisor, &address).await;
        sleep(PAUSE).await;
    }
}

async fn be_member(supervisor: &str, address: &str) -> Option<()> {
    let endpoint = Endpoint::from_shared(format!("http://{supervisor}")).ok()?;
    let mut client = WorkerRegistryClient::new(endpoint.connect().await.ok()?);
    let request = RegisterRequest {
        name: "earlier".to_owned(),
        address: address.to_owned(),
        boot_id: BOOT_ID.to_owned(),
        protocol_min: 1,
        protocol_max: 1,
        features: vec!["leases".to_owned()],
        slots: SLOTS,
        heartbeats: true,
        version: "0.0.1".to_owned(),
        ..RegisterRequest::default()
    };
    let registered = timeout(ANSWER_WITHIN, client.register(request)).await.ok()?.ok()?;
    let registration_id = registered.into_inner().registration_id;
    loop {
        let beat = HeartbeatRequest {
            registration_id: registration_id.clone(),
            boot_id: BOOT_ID.to_owned(),
            slots: SLOTS,
            ..HeartbeatRequest::default()
        };
        timeout(ANSWER_WITHIN, client.heartbeat(beat)).await.ok()?.ok()?;
        sleep(PAUSE).await;
    }
}
