//! Logs: for people on a terminal, JSON otherwise, always to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging at the levels of `RUST_LOG`, `info` unless set. Does nothing when logging
/// has been started before.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = if io::stderr().is_terminal() {
        registry.with(format).try_init()
    } else {
        registry.with(format.json()).try_init()
    };
    // A second start is a second service in one process: the first one's logging serves both.
    drop(started);
}
