//! The services that this binary can be: the only place that names their crates.

use std::process::ExitCode;

use taskfleet_runtime::process::Options;
use taskfleet_supervisor::{WorkerProgram, run_process};

/// Runs a supervisor until it is told to stop.
pub(crate) async fn supervisor(options: Options) -> ExitCode {
    run_process(options, WorkerProgram::This("worker")).await
}

/// Runs a worker until it is told to stop.
pub(crate) async fn worker(options: Options) -> ExitCode {
    taskfleet_worker::run_process(options).await
}
