//! The hidden commands: a service in this process, for `dev` and the tests.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use openai_sim::{Settings, Sim};
use taskfleet_runtime::{files, signals};

use crate::output;

/// How to run a supervisor or a worker. All else comes from the environment.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// The TOML file with the settings.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Stop when standard input ends, and say on standard output where it listens.
    #[arg(long, hide = true)]
    pub(crate) exit_with_parent: bool,
}

/// How to run the simulated API.
#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    #[command(flatten)]
    settings: Settings,
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    exit_with_parent: bool,
}

/// Runs the simulated API until it is told to stop.
///
/// # Errors
/// When its address cannot be had.
pub(crate) async fn run_sim(args: SimArgs) -> anyhow::Result<ExitCode> {
    // Each open call is an open file. What the system refuses shows when a call finds none.
    let _ = files::raise_open_file_limit();
    let sim = Sim::bind(args.settings).await?;
    output::line(&format!("listening on {}", sim.local_addr()))?;
    sim.run(told_to_stop(args.exit_with_parent)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn told_to_stop(exit_with_parent: bool) {
    tokio::select! {
        _ = signals::stop_requested() => {}
        () = signals::parent_gone(), if exit_with_parent => {}
    }
}
