//! The simulator as a program: bind, say where, answer until told to stop.

use clap::Parser;
use openai_sim::{Settings, Sim};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A simulated OpenAI-compatible API with latency and faults.
#[derive(Debug, Parser)]
#[command(name = "openai-sim", version)]
struct Args {
    #[command(flatten)]
    settings: Settings,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Args::parse().settings;
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let sim = Sim::bind(settings).await?;
    announce(&sim);
    sim.run(told_to_stop(interrupt, terminate)).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "where it listens is this program's output")]
fn announce(sim: &Sim) {
    println!("listening on http://{}", sim.local_addr());
}

async fn told_to_stop(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
