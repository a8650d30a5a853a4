//! `taskfleet`: submit, follow and manage tasks; run a whole fleet on one machine.

mod args;
mod ask;
mod batch;
mod client;
mod commands;
mod failure;
mod follow;
mod json;
mod output;
mod patience;
mod services;
mod stop;
mod stranger;
mod table;
mod words;

use std::process::ExitCode;

use taskfleet_runtime::{Allocator, Threads};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    // Refused only when a provider stands already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = args::parse();
    run(cli).unwrap_or_else(|error| failure::report(&error))
}

fn run(cli: args::Cli) -> anyhow::Result<ExitCode> {
    let threads = match cli.command {
        args::Command::Worker(_) => Threads::One,
        _ => Threads::OfCores,
    };
    threads.run(commands::run(cli))?
}
