//! What a worker can be told from outside.

mod read;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use secrecy::SecretString;
use serde::Deserialize;
use taskfleet_core::{execution::Bounds, limits};
use taskfleet_runtime::settings::{self, Number, Section};

use crate::{Error, shutdown};

/// How a worker listens, registers and bounds itself: `[worker]` in the file,
/// `TASKFLEET_WORKER__…` in the environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the gRPC server; port 0 takes a free one.
    #[serde(deserialize_with = "settings::listen")]
    pub grpc_listen: SocketAddr,
    /// Address of the HTTP server for metrics and health; port 0 takes a free one.
    #[serde(deserialize_with = "settings::listen")]
    pub http_listen: SocketAddr,
    /// host:port of the supervisor to register with.
    pub supervisor: String,
    /// For people. Empty: the machine's name and the start of the boot id.
    pub name: String,
    /// host:port under which the supervisor reaches this worker, or :port for the address
    /// that its registration comes from. Empty: `:` and the real gRPC port.
    pub advertise: String,
    /// Executions at once, 1 to 10,000.
    pub slots: u32,
    /// Models that are served; none: any. In the environment separated by commas.
    #[serde(deserialize_with = "read::list")]
    pub models: Vec<String>,
    /// Set by a supervisor for a worker that it starts on its own machine: its store's id, a
    /// digest of the store's path, the worker's number, and a random part that proves to the
    /// supervisor who registers; with slashes between.
    pub local: Option<SecretString>,
    /// What the supervisor demands of workers, if it does.
    pub join_token: Option<SecretString>,
    /// How long executions may go on after a request to stop; 0 to 7,200.
    #[serde(rename = "shutdown_grace_seconds", deserialize_with = "read::seconds")]
    pub shutdown_grace: Duration,
    /// End when no supervisor was found for so long and nothing runs or is held; unset: never.
    /// For workers that a supervisor started on its own machine and that nobody else would ever
    /// end. 0.1 to 86,400.
    #[serde(rename = "exit_without_supervisor_seconds", deserialize_with = "read::maybe_seconds")]
    pub exit_without_supervisor: Option<Duration>,
    /// How long an outcome is held without any supervisor; 1 to 604,800.
    #[serde(rename = "hold_unsettled_seconds", deserialize_with = "read::seconds")]
    pub hold_unsettled: Duration,
    /// Outcomes that may wait to be settled; 1 to 1,000,000.
    pub outbox_outcomes: usize,
    /// Bytes of outcomes that may wait to be settled; 1 to 1 TiB.
    pub outbox_bytes: usize,
    /// The model API; from `OPENAI_*`, not from the file.
    #[serde(skip)]
    pub api: ApiSettings,
}

/// The model API that a worker calls.
#[derive(Clone)]
pub struct ApiSettings {
    /// `OPENAI_API_KEY`. None: calls carry no key, as local servers like it.
    pub key: Option<SecretString>,
    /// `OPENAI_BASE_URL`, with the `/v1`.
    pub base_url: String,
    /// `OPENAI_MODEL`: for tasks that name none.
    pub model: String,
}

impl fmt::Debug for ApiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, has_key) = (self.host(), self.key.is_some());
        let mut debug = f.debug_struct("ApiSettings");
        debug.field("host", &host).field("model", &self.model).field("has_key", &has_key).finish()
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            key: None,
            base_url: "https://api.openai.com/v1".into(),
            model: "gpt-4o-mini".into(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let bounds = Bounds::default();
        Self {
            grpc_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_052)),
            http_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8_081)),
            supervisor: "127.0.0.1:50051".into(),
            name: String::new(),
            advertise: String::new(),
            slots: limits::DEFAULT_SLOTS,
            models: Vec::new(),
            local: None,
            join_token: None,
            shutdown_grace: shutdown::DEFAULT_GRACE,
            exit_without_supervisor: None,
            hold_unsettled: bounds.hold_for,
            outbox_outcomes: bounds.max_held,
            outbox_bytes: bounds.max_held_bytes,
            api: ApiSettings::default(),
        }
    }
}

impl Section for Settings {
    const NAME: &'static str = "worker";

    fn numbers(&self) -> Vec<Number> {
        let (outcomes, bytes) = (self.outbox_outcomes as u64, self.outbox_bytes as u64);
        let alone = self.exit_without_supervisor;
        vec![
            Number::whole("slots", self.slots.into(), 1..=limits::MAX_SLOTS.into(), "calls"),
            Number::seconds("shutdown_grace_seconds", self.shutdown_grace, 0.0..=7_200.0),
            Number::seconds("exit_without_supervisor_seconds", alone, 0.1..=86_400.0),
            Number::seconds("hold_unsettled_seconds", self.hold_unsettled, 1.0..=604_800.0),
            Number::whole("outbox_outcomes", outcomes, 1..=1_000_000, "outcomes"),
            Number::whole("outbox_bytes", bytes, 1..=1 << 40, "bytes"),
        ]
    }
}

impl Settings {
    /// Built-in values, then the file, then the environment.
    ///
    /// # Errors
    /// When something cannot be read or makes no sense; names the key.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let mut settings: Self = settings::load(file)?;
        settings.api = ApiSettings::from_variables(|name| std::env::var(name).ok());
        settings.check()?;
        Ok(settings)
    }

    /// Whether the values make sense.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check(&self) -> Result<(), Error> {
        settings::check(self).map_err(settings::InvalidSettings::from)?;
        if !read::is_authority(&self.supervisor) {
            return Err(Error::setting("supervisor", "must be host:port"));
        }
        let advertised = self.advertise.strip_prefix(':').map(|port| format!("peer:{port}"));
        let advertised = advertised.as_ref().unwrap_or(&self.advertise);
        if !advertised.is_empty() && !read::is_authority(advertised) {
            return Err(Error::setting("advertise", "must be host:port or :port"));
        }
        Ok(())
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            slots: self.slots as usize,
            max_held: self.outbox_outcomes,
            max_held_bytes: self.outbox_bytes,
            hold_for: self.hold_unsettled,
            ..Bounds::default()
        }
    }
}

impl ApiSettings {
    /// The variables that are read, by the names that they have everywhere.
    pub const VARIABLES: [&str; 3] = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"];

    /// The host of the API, for logs: the rest of the URL may hold a password.
    pub(crate) fn host(&self) -> String {
        let uri: Option<http::Uri> = self.base_url.parse().ok();
        uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set =
            |name| variable(name).map(|text| text.trim().to_owned()).filter(|t| !t.is_empty());
        let default = Self::default();
        Self {
            key: set("OPENAI_API_KEY").map(SecretString::from),
            base_url: set("OPENAI_BASE_URL").unwrap_or(default.base_url),
            model: set("OPENAI_MODEL").unwrap_or(default.model),
        }
    }
}

#[cfg(test)]
mod tests;
