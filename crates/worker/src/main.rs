//! The worker as a program.

use std::process::ExitCode;

use clap::Parser;
use taskfleet_worker::{RunOptions, run_process};

/// Serves ProcessTask for a supervisor and calls an OpenAI-compatible API.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    run: RunOptions,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run_process(Flags::parse().run).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "worker failed");
            ExitCode::from(error.exit_code())
        }
    }
}
