//! The supervisor's settings.

mod static_workers;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use taskfleet_runtime::settings::{self, Number, Section};

pub use static_workers::StaticWorker;

/// Everything that an operator can set. In the file it is `[supervisor]`, in the environment
/// `TASKFLEET_SUPERVISOR__` and the key in capitals.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the gRPC services listen. Port 0 takes any free one.
    #[serde(deserialize_with = "settings::listen")]
    pub grpc_listen: SocketAddr,
    /// Where metrics and health are told over HTTP. Port 0 takes any free one.
    #[serde(deserialize_with = "settings::listen")]
    pub http_listen: SocketAddr,
    /// The store's file; it is made where it is missing.
    pub store: PathBuf,
    /// How long a worker that had tasks may stay unreachable after a start before they are
    /// given to others, in seconds; 12 to 3,600.
    pub start_grace_seconds: u64,
    /// How often workers are told to send heartbeats, in seconds; 1 to 60.
    pub heartbeat_seconds: u64,
    /// How often each worker is probed, in milliseconds; 100 to 60,000.
    pub probe_interval_ms: u64,
    /// How long a probe may take, in milliseconds; 10 to 60,000, and not above the interval.
    pub probe_timeout_ms: u64,
    /// Probes in a row without any sign of life after which a worker counts as lost; 1 to 100.
    pub probe_misses: u32,
    /// What workers must send to be registered; unset: whoever reaches this registers.
    pub join_token: Option<SecretString>,
    /// Workers that registered with the join token call with our key instead of their own.
    pub hand_over_api_key: bool,
    /// Workers that are started on this machine and kept running; 0 to 64.
    pub local_workers: u16,
    /// The program that they run; unset: `taskfleet-worker` beside this one.
    pub local_worker_program: Option<PathBuf>,
    /// The command that follows from it.
    #[serde(skip)]
    pub local_worker_command: Vec<OsString>,
    /// The key to hand over: from `OPENAI_API_KEY`, not from the file.
    #[serde(skip)]
    pub api_key: Option<SecretString>,
    /// Workers that are dialled for ever rather than registered: `host:port`, or
    /// `host:port*slots` for one that takes more than one task at once. In the environment
    /// separated by commas.
    #[serde(deserialize_with = "static_workers::read")]
    pub static_workers: Vec<StaticWorker>,
    /// Queued tasks at most; 1 to 100,000,000.
    pub max_queued: u64,
    /// Bytes of their contents at most; 1 to 1 TiB.
    pub max_queued_bytes: u64,
    /// How often memory is compared with the store, to find what a notification missed, in
    /// seconds; 1 to 3,600.
    pub sweep_seconds: u64,
    /// How long ended tasks are kept, in seconds; 1 to ten years.
    pub retention_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 50_051)),
            http_listen: SocketAddr::from(([127, 0, 0, 1], 8_080)),
            store: PathBuf::from("taskfleet.db"),
            start_grace_seconds: 15,
            heartbeat_seconds: 3,
            probe_interval_ms: 2_000,
            probe_timeout_ms: 1_000,
            probe_misses: 3,
            join_token: None,
            hand_over_api_key: false,
            local_workers: 0,
            local_worker_program: None,
            local_worker_command: Vec::new(),
            api_key: None,
            static_workers: Vec::new(),
            max_queued: 5_000_000,
            max_queued_bytes: 20 << 30,
            sweep_seconds: 5,
            retention_seconds: 7 * 24 * 3_600,
        }
    }
}

impl Section for Settings {
    const NAME: &'static str = "supervisor";

    fn numbers(&self) -> Vec<Number> {
        let whole = Number::whole;
        vec![
            whole("start_grace_seconds", self.start_grace_seconds, LEAST_GRACE..=3_600, "seconds"),
            whole("heartbeat_seconds", self.heartbeat_seconds, 1..=60, "seconds"),
            whole("probe_interval_ms", self.probe_interval_ms, 100..=60_000, "ms"),
            whole("probe_timeout_ms", self.probe_timeout_ms, 10..=60_000, "ms"),
            whole("probe_misses", self.probe_misses.into(), 1..=100, "probes"),
            whole("local_workers", self.local_workers.into(), 0..=64, "workers"),
            whole("max_queued", self.max_queued, 1..=100_000_000, "tasks"),
            whole("max_queued_bytes", self.max_queued_bytes, 1..=1 << 40, "bytes"),
            whole("sweep_seconds", self.sweep_seconds, 1..=3_600, "seconds"),
            whole("retention_seconds", self.retention_seconds, 1..=TEN_YEARS, "seconds"),
        ]
    }
}

/// The longest pause between two tries of a worker to register: part of the protocol.
const REGISTER_BACKOFF: Duration = Duration::from_secs(2);
/// How long dialling a worker may take.
pub(crate) const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Three times what a worker needs to find the supervisor again, in seconds.
const LEAST_GRACE: u64 = 3 * (REGISTER_BACKOFF.as_secs() + DIAL_TIMEOUT.as_secs());

/// In seconds.
const TEN_YEARS: u64 = 10 * 365 * 24 * 3_600;

impl Settings {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// Names the setting and says what would be right.
    pub fn check(&self) -> Result<(), String> {
        settings::check(self).map_err(|wrong| wrong.to_string())?;
        if self.probe_interval_ms < self.probe_timeout_ms {
            return Err(format!(
                "probe_timeout_ms is {}: it must not be above probe_interval_ms, which is {}",
                self.probe_timeout_ms, self.probe_interval_ms
            ));
        }
        if self.join_token.as_ref().is_some_and(|token| token.expose_secret().is_empty()) {
            return Err("join_token is empty: leave it out, or set one that workers send".into());
        }
        self.check_hand_over()
    }

    fn check_hand_over(&self) -> Result<(), String> {
        let problem = match &self.api_key {
            _ if !self.hand_over_api_key => return Ok(()),
            _ if self.join_token.is_none() => {
                "join_token is not set: the key goes only to workers that prove themselves by it"
            }
            None => "OPENAI_API_KEY is not set: there is no key to hand over",
            Some(key) if !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) => {
                "OPENAI_API_KEY has a character that no HTTP header can carry"
            }
            Some(_) => return Ok(()),
        };
        Err(format!("hand_over_api_key is true, but {problem}"))
    }

    pub(crate) fn sweep(&self) -> Duration {
        Duration::from_secs(self.sweep_seconds)
    }

    pub(crate) fn start_grace(&self) -> Duration {
        Duration::from_secs(self.start_grace_seconds)
    }

    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_seconds)
    }

    pub(crate) fn probe_interval(&self) -> Duration {
        Duration::from_millis(self.probe_interval_ms)
    }

    pub(crate) fn probe_timeout(&self) -> Duration {
        Duration::from_millis(self.probe_timeout_ms)
    }
}
