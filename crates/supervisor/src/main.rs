//! The supervisor as a program.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use taskfleet_supervisor::{RunOptions, run_process};

/// Accepts tasks over gRPC and hands them to workers.
#[derive(Debug, Parser)]
#[command(name = "taskfleet-supervisor", version)]
struct Args {
    /// A TOML file with settings; the environment goes over it.
    #[arg(long, env = "TASKFLEET_CONFIG")]
    config: Option<PathBuf>,
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    exit_with_parent: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    run_process(RunOptions { config: args.config, exit_with_parent: args.exit_with_parent }).await
}
