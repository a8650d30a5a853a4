//! The hidden commands: a service in this process, for `dev` and the tests.

use std::process::ExitCode;

use clap::Args;
use openai_sim::{Settings, Sim};
use taskfleet_runtime::{files, process};

use crate::output;

/// How to run a service of this program.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    #[command(flatten)]
    pub(crate) options: process::Options,
    #[command(flatten)]
    _no_client: NoClient,
}

/// In the place of the global flags, which would be shown in the help and mean nothing.
#[derive(Debug, Args)]
pub(crate) struct NoClient {
    #[arg(long, hide = true, value_parser = no_address)]
    address: Option<String>,
    #[arg(long, hide = true)]
    json: bool,
}

fn no_address(_: &str) -> Result<String, &'static str> {
    Err("a service asks no supervisor; its settings say where it listens")
}

/// How to run the simulated API.
#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    _no_client: NoClient,
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
    let stop = async move {
        process::told_to_stop(args.exit_with_parent).await;
    };
    sim.run(stop).await?;
    Ok(ExitCode::SUCCESS)
}
