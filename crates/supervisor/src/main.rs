//! The supervisor as a program.

use std::{io, process::ExitCode};

use clap::Parser;
use taskfleet_runtime::{
    Allocator, Threads,
    health::probe::{self, Command},
    process::Options,
};
use taskfleet_supervisor::{Settings, WorkerProgram, run_process};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Accepts tasks over gRPC and hands them to workers.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    run: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> io::Result<ExitCode> {
    Threads::OfCores.run(run(Flags::parse()))
}

async fn run(flags: Flags) -> ExitCode {
    match flags.command {
        Some(Command::Health(args)) => {
            probe::run(&flags.run, &args, |settings: &Settings| settings.grpc_listen).await
        }
        None => run_process(flags.run, WorkerProgram::Beside).await,
    }
}
