//! The supervisor as a program.

use std::process::ExitCode;

use clap::Parser;
use taskfleet_runtime::process::Options;
use taskfleet_supervisor::{WorkerProgram, run_process};

/// Accepts tasks over gRPC and hands them to workers.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    run: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    run_process(Flags::parse().run, WorkerProgram::Beside).await
}
