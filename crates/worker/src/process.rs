//! The worker as a process of its own.

use std::process::ExitCode;

use taskfleet_runtime::process;

use crate::{Error, Settings, Worker};

/// Runs a worker until SIGTERM or SIGINT, with settings from file and environment. Errors are
/// told on standard error; see [`Error`] for the exit code.
pub async fn run_process(options: process::Options) -> ExitCode {
    process::run("worker", options, run).await
}

async fn run(options: process::Options) -> Result<(), Error> {
    // Refused when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::load(options.config())?;
    tracing::debug!(?settings, "settings");
    let (slots, supervisor) = (settings.slots, settings.supervisor.clone());
    let (api, has_key) = (settings.api.host(), settings.api.key.is_some());
    let worker = Worker::bind_tcp(settings).await?;
    let (grpc, boot_id) = (worker.local_addr(), worker.boot_id());
    let http = worker.http_addr().map(tracing::field::display);
    let config = options.config().map(|file| tracing::field::display(file.display()));
    tracing::info!(%grpc, http, %boot_id, slots, supervisor, api, has_key, config, "worker listens");
    options.announce(grpc);
    worker.run(options.told_to_stop()).await
}
