//! `taskfleet dev`: a whole fleet on this machine, and something to see.

mod board;
mod child;
mod data;
mod fleet;
mod hints;
mod keeper;
mod log;
mod model;
mod ready;
mod samples;
mod screen;
mod session;
mod waits;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use data::Data;
use fleet::{Fleet, Plan};
use model::Model;
use screen::Screen;

/// How to run a fleet on this machine.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Prompts to try [default: four samples].
    #[arg(value_name = "PROMPT")]
    prompts: Vec<String>,
    /// How many workers to start.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    workers: u16,
    /// End once the prompts have ended: with 0 when all completed, with 1 otherwise.
    #[arg(long)]
    exit: bool,
    /// Keep the tasks in this directory [default: a temporary one, removed at the end].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the supervisor listens, on 127.0.0.1; 0 takes any free port.
    #[arg(long, default_value_t = 50051)]
    port: u16,
    /// In the place of the global flag, which would be shown in the help.
    #[arg(long, hide = true, value_parser = no_address)]
    address: Option<String>,
    /// As `address`.
    #[arg(long, hide = true)]
    json: bool,
}

fn no_address(_: &str) -> Result<String, &'static str> {
    Err("dev starts a supervisor of its own; --port chooses where it listens")
}

/// Runs the fleet until it is told to stop, or until the prompts have ended.
///
/// # Errors
/// When the fleet cannot be started or the prompts cannot be submitted.
pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!args.json, "dev is for people: it prints no JSON");
    let mut stop = StopSignals::listen()?;
    let screen = Screen::new();
    check_port(args.port).await?;
    let data = Data::prepare(args.data.as_deref())?;
    let plan = Plan {
        workers: args.workers,
        port: args.port,
        store: data.path().join("taskfleet.db"),
        model: Model::from_environment(),
    };
    screen.talk(plan.model.said());
    let mut fleet = Fleet::new(plan, screen.clone());
    let outcome = tokio::select! {
        outcome = serve(&args, &mut fleet, &screen) => Some(outcome),
        () = stop.next() => None,
    };
    screen.clear();
    if outcome.is_none() {
        screen.talk("Stopping the fleet; once more stops it at once.");
    }
    shut_down(fleet, &mut stop).await;
    outcome.unwrap_or(Ok(ExitCode::SUCCESS))
}

/// Starts the fleet, runs the prompts, and serves on unless it is to end with them.
async fn serve(args: &DevArgs, fleet: &mut Fleet, screen: &Screen) -> anyhow::Result<ExitCode> {
    fleet.start().await?;
    let client = ready::wait(fleet, args.workers, screen).await?;
    let all_completed = session::run(&client, &args.prompts, screen).await?;
    if args.exit {
        return Ok(if all_completed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    hints::show(client.address(), screen)?;
    std::future::pending().await
}

/// Ends every process of the fleet: in order, or at once when asked a second time.
async fn shut_down(mut fleet: Fleet, stop: &mut StopSignals) {
    let kill = fleet.kill_switch();
    let stopping = fleet.stop();
    tokio::pin!(stopping);
    tokio::select! {
        () = &mut stopping => return,
        () = stop.next() => kill.cancel(),
    }
    stopping.await;
}

/// Says in words that a port is taken: the supervisor's own words would come from a child.
async fn check_port(port: u16) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match tokio::net::TcpListener::bind(address).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => anyhow::bail!(
            "port {port} is taken, perhaps by another fleet on this machine.\n\
             Choose another with --port, or --port 0 for any that is free."
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
        Ok(_) => Ok(()),
    }
}

/// The signals that end `dev`.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal was closed.
    hangup: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
