//! The worker as a program.

use std::process::ExitCode;

use clap::Parser;
use taskfleet_runtime::process::Options;

/// Serves ProcessTask for a supervisor and calls an OpenAI-compatible API.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    run: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    taskfleet_worker::run_process(Flags::parse().run).await
}
