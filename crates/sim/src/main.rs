//! The simulator as a program: bind, say where, answer until told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use openai_sim::{Settings, Sim, health};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Nobody answers at the address.
const UNREACHABLE: u8 = 3;

/// A simulated OpenAI-compatible API with latency and faults.
#[derive(Debug, Parser)]
#[command(name = "openai-sim", version)]
struct Args {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask the one that runs on this host at the same address whether it serves.
    #[command(after_help = "Exit codes: 0 it serves, 1 it does not, 3 it is not reachable.")]
    Health {
        /// As of the services; it needs nothing from others, so that both mean the same here.
        what: Option<What>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// It turns.
    Live,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    match args.command {
        Some(Command::Health { .. }) => Ok(check_health(args.settings.listen).await),
        None => serve(args.settings).await.map(|()| ExitCode::SUCCESS),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the program of a subcommand")]
async fn check_health(listen: SocketAddr) -> ExitCode {
    match health::serves(listen).await {
        Ok(true) => {
            println!("serving");
            ExitCode::SUCCESS
        }
        Ok(false) => {
            eprintln!("openai-sim: it does not serve");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("openai-sim: not reachable at {listen}: {error}");
            ExitCode::from(UNREACHABLE)
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let sim = Sim::bind(settings).await?;
    announce(&sim);
    sim.run(told_to_stop(interrupt, terminate)).await?;
    Ok(())
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "where it listens is its output")]
fn announce(sim: &Sim) {
    println!("listening on http://{}", sim.local_addr());
    eprintln!("answers from here are simulated: no model is called, and nothing is paid");
}

async fn told_to_stop(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
