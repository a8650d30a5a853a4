//! What a worker says about itself when it registers.

use std::{fs, net::SocketAddr};

use secrecy::ExposeSecret;
use taskfleet_core::{
    BootId,
    account::{account, provider},
};
use taskfleet_proto::{
    PROTOCOL_VERSION, feature,
    v1::{LocalProcess, RegisterRequest},
};
use taskfleet_runtime::transport::MAX_MESSAGE_BYTES;

use crate::{Settings, membership::Announcement};

/// The announcement of a worker that listens at `local`.
pub(super) fn announcement(
    settings: &Settings,
    boot_id: BootId,
    local: SocketAddr,
) -> Announcement {
    Announcement {
        supervisor: settings.supervisor.clone(),
        request: request(settings, boot_id, local),
        join_token: settings.join_token.clone(),
        give_up_after: settings.exit_without_supervisor,
    }
}

fn request(settings: &Settings, boot_id: BootId, local: SocketAddr) -> RegisterRequest {
    let provider = provider(&settings.api.base_url);
    let key = settings.api.key.as_ref().map(ExposeSecret::expose_secret);
    RegisterRequest {
        name: name(settings, boot_id),
        address: address(settings, local),
        boot_id: boot_id.to_string(),
        protocol_min: PROTOCOL_VERSION,
        protocol_max: PROTOCOL_VERSION,
        features: feature::ALL.map(str::to_owned).to_vec(),
        models: settings.models.clone(),
        slots: settings.slots,
        max_request_bytes: MAX_MESSAGE_BYTES as u64,
        account: account(&provider, key),
        join_token: String::new(),
        heartbeats: true,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        provider,
        local: local_process(settings),
    }
}

/// Without a host it stands for the address that the registration comes from; port 0 stands
/// for the real one.
fn address(settings: &Settings, local: SocketAddr) -> String {
    let advertised = match settings.advertise.as_str() {
        "" if !local.ip().is_unspecified() => return local.to_string(),
        "" => ":0",
        advertised => advertised,
    };
    match advertised.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", local.port()),
        None => advertised.to_owned(),
    }
}

/// Which of a supervisor's local workers this is, if it is one.
fn local_process(settings: &Settings) -> Option<LocalProcess> {
    let mut parts = settings.local.as_ref()?.expose_secret().split('/');
    // The second says where the store lies: the supervisor reads it from the environment.
    let (store_id, _, number) = (parts.next()?, parts.next()?, parts.next()?);
    Some(LocalProcess {
        store_id: store_id.to_owned(),
        number: number.parse().ok()?,
        pid: std::process::id(),
        proof: parts.next()?.to_owned(),
    })
}

/// For people: unique also when many run on one machine.
fn name(settings: &Settings, boot_id: BootId) -> String {
    if !settings.name.is_empty() {
        return settings.name.clone();
    }
    let boot_id = boot_id.to_string();
    let short = boot_id.split('-').next().unwrap_or_default();
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match machine.trim() {
        "" => format!("worker-{short}"),
        machine => format!("{machine}-{short}"),
    }
}
