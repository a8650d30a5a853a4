//! The supervisor's settings.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

/// Everything that an operator can set. In the file it is `[supervisor]`, in the environment
/// `TASKFLEET_SUPERVISOR__` and the key in capitals.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the gRPC services listen. Port 0 takes any free one.
    pub grpc_listen: SocketAddr,
    /// The store's file; it is made where it is missing.
    pub store: PathBuf,
    /// How long a worker that had tasks may stay unreachable after a start before they are
    /// given to others, in seconds.
    pub start_grace_seconds: u64,
    /// How often workers are told to send heartbeats, in seconds.
    pub heartbeat_seconds: u64,
    /// How often each worker is probed, in milliseconds.
    pub probe_interval_ms: u64,
    /// How long a probe may take, in milliseconds.
    pub probe_timeout_ms: u64,
    /// Probes in a row without any sign of life after which a worker counts as lost.
    pub probe_misses: u32,
    /// Queued tasks at most.
    pub max_queued: u64,
    /// Bytes of their contents at most.
    pub max_queued_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 50_051)),
            store: PathBuf::from("taskfleet.db"),
            start_grace_seconds: 15,
            heartbeat_seconds: 3,
            probe_interval_ms: 2_000,
            probe_timeout_ms: 1_000,
            probe_misses: 3,
            max_queued: 5_000_000,
            max_queued_bytes: 20 << 30,
        }
    }
}

/// The longest pause between two tries of a worker to register: part of the protocol.
const REGISTER_BACKOFF: Duration = Duration::from_secs(2);
/// How long dialling a worker may take.
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(2);

impl Settings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// Names the setting and says what would be right.
    pub fn check(&self) -> Result<(), String> {
        let least = 3 * (REGISTER_BACKOFF + DIAL_TIMEOUT).as_secs();
        if self.start_grace_seconds < least {
            return Err(format!(
                "start_grace_seconds is {}: it must be at least {least}, three times what a \
                 worker needs to find the supervisor again",
                self.start_grace_seconds
            ));
        }
        if self.probe_misses == 0 || self.probe_timeout_ms == 0 || self.heartbeat_seconds == 0 {
            return Err(
                "probe_misses, probe_timeout_ms and heartbeat_seconds must be above 0".into()
            );
        }
        if self.probe_interval_ms < self.probe_timeout_ms {
            return Err("probe_interval_ms must not be below probe_timeout_ms".into());
        }
        Ok(())
    }

    pub(crate) fn start_grace(&self) -> Duration {
        Duration::from_secs(self.start_grace_seconds)
    }

    pub(crate) fn probe_interval(&self) -> Duration {
        Duration::from_millis(self.probe_interval_ms)
    }

    pub(crate) fn probe_timeout(&self) -> Duration {
        Duration::from_millis(self.probe_timeout_ms)
    }
}
