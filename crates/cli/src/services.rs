//! The services that this binary can be: the only place that names their crates.

use std::{path::PathBuf, process::ExitCode};

use crate::output;

/// Runs a supervisor until it is told to stop.
pub(crate) async fn supervisor(config: Option<PathBuf>, exit_with_parent: bool) -> ExitCode {
    let options = taskfleet_supervisor::RunOptions { config, exit_with_parent };
    taskfleet_supervisor::run_process(options).await
}

/// Runs a worker until it is told to stop.
pub(crate) async fn worker(config: Option<PathBuf>, exit_with_parent: bool) -> ExitCode {
    let options = taskfleet_worker::RunOptions { config, exit_with_parent };
    match taskfleet_worker::run_process(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::talk(&format!("taskfleet worker: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
