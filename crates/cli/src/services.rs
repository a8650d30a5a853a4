//! The services that this binary can be: the only place that names their crates.

use std::{path::PathBuf, process::ExitCode};

use taskfleet_runtime::{files, signals, telemetry};
use taskfleet_supervisor::RunOptions;
use taskfleet_worker::{Settings, Stop, Worker};

use crate::output;

/// Runs a supervisor until it is told to stop.
pub(crate) async fn supervisor(config: Option<PathBuf>, exit_with_parent: bool) -> ExitCode {
    taskfleet_supervisor::run_process(RunOptions { config, exit_with_parent }).await
}

/// Runs a worker until it is told to stop.
///
/// # Errors
/// When its settings make no sense or its port cannot be had.
pub(crate) async fn worker(
    config: Option<PathBuf>,
    exit_with_parent: bool,
) -> anyhow::Result<ExitCode> {
    telemetry::init();
    // Without it many slots do not fit, and a call that finds no file is tried again.
    let _ = files::raise_open_file_limit();
    let worker = Worker::bind_tcp(Settings::load(config.as_deref())?).await?;
    if exit_with_parent {
        output::line(&format!("listening on {}", worker.local_addr()))?;
    }
    worker.run(told_to_stop(exit_with_parent)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn told_to_stop(exit_with_parent: bool) -> Stop {
    tokio::select! {
        _ = signals::stop_requested() => Stop::Clean,
        () = signals::parent_gone(), if exit_with_parent => Stop::Quick,
    }
}
