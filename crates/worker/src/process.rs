//! The worker as a process of its own.

use std::process::ExitCode;

use taskfleet_runtime::{files, process};

use crate::{Error, Settings, Worker};

/// Files that a worker has open beside the connections of its calls, at most: its own connections,
/// and some to spare.
const FILES_BESIDE_CALLS: u64 = 100;

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
    check_open_files(settings.slots);
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

/// A call that gets no connection fails as if the API could not be reached.
fn check_open_files(slots: u32) {
    let needed = u64::from(slots) + FILES_BESIDE_CALLS;
    if let Ok(limit) = files::open_file_limit()
        && limit < needed
    {
        tracing::warn!(
            limit,
            needed,
            slots,
            "too few open files are allowed for all slots: raise the hard limit (ulimit -Hn) or set \
             TASKFLEET_WORKER__SLOTS lower"
        );
    }
}
