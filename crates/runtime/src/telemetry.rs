//! What a service tells about itself: logs, and spans when there is a collector for them.
//!
//! Logs go to standard error: for people on a terminal, JSON otherwise. Spans go to the
//! OTLP endpoint of `OTEL_EXPORTER_OTLP_ENDPOINT`; see [`crate::trace`].

mod allowed;
mod delivery;
mod spans;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

pub use spans::VARIABLES;

/// The last spans may take so long on their way out. It is part of every service's time to
/// stop: a dead collector must not use up more of it.
pub const FLUSH_WITHIN: Duration = Duration::from_millis(1_500);

/// Spans cannot be exported as they are asked for. Names the variable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTelemetry(String);

/// Telemetry that runs. What it has not sent yet is sent by [`Telemetry::flush`].
#[derive(Debug)]
#[must_use]
pub struct Telemetry {
    spans: Option<SdkTracerProvider>,
}

/// Starts logging at the levels of `RUST_LOG`, `info` unless set, and exporting spans if that
/// is asked for. `service` is its name unless `OTEL_SERVICE_NAME` says another. To be called
/// within a tokio runtime.
///
/// # Errors
/// Logs work, and spans cannot be exported.
pub fn start(service: &str) -> Result<Telemetry, InvalidTelemetry> {
    start_logs();
    Ok(Telemetry { spans: spans::start(service)? })
}

impl Telemetry {
    /// Sends the spans that wait, within [`FLUSH_WITHIN`].
    pub async fn flush(self) {
        let Some(spans) = self.spans else { return };
        let sending =
            tokio::task::spawn_blocking(move || spans.shutdown_with_timeout(FLUSH_WITHIN));
        if !matches!(sending.await, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be delivered");
        }
    }
}

fn start_logs() {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let asked = if asked.trim().is_empty() { "info" } else { asked.trim() };
    let levels = EnvFilter::try_new(asked);
    let unreadable = levels.is_err();
    let levels = levels.unwrap_or_else(|_| EnvFilter::new("info"));
    // What cannot be written is not told on the same closed pipe, which would panic: a local
    // worker outlives whoever read its supervisor's standard error.
    let format =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(levels).with(filter_fn(allowed::is_allowed));
    let started = if io::stderr().is_terminal() {
        registry.with(format).try_init()
    } else {
        registry.with(format.json()).try_init()
    };
    // A second start is a second service in one process: the first one's logging serves both.
    drop(started);
    if unreadable {
        tracing::warn!(RUST_LOG = asked, "RUST_LOG cannot be read; logging at info");
    }
}
