//! The worker as a program.

use std::{io, process::ExitCode};

use clap::Parser;
use taskfleet_runtime::{
    Allocator, Threads,
    health::probe::{self, Command},
    process::Options,
};
use taskfleet_worker::{Settings, run_process};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Serves ProcessTask for a supervisor and calls an OpenAI-compatible API.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    run: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> io::Result<ExitCode> {
    Threads::One.run(run(Flags::parse()))
}

async fn run(flags: Flags) -> ExitCode {
    match flags.command {
        Some(Command::Health(args)) => {
            probe::run(&flags.run, &args, |settings: &Settings| settings.grpc_listen).await
        }
        None => run_process(flags.run).await,
    }
}
