//! The command line as a whole; each command's own arguments stand with the command.

use clap::{Args, Parser, Subcommand};

use crate::commands::{cancel, dev, get, service, submit, watch};

/// Where a supervisor listens unless it was told otherwise.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:50051";

/// Submit, follow and manage tasks; run a whole fleet on one machine.
#[derive(Debug, Parser)]
#[command(name = "taskfleet", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 fine, 1 the task failed or something went wrong, \
    2 wrong usage, 3 the supervisor is not reachable.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command that asks a supervisor needs.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The supervisor to ask, host:port.
    #[arg(long, global = true, env = "TASKFLEET_ADDRESS", default_value = DEFAULT_ADDRESS)]
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Print JSON, the same that grpcurl prints.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Hand over a task; prints its id.
    Submit(Box<submit::SubmitArgs>),
    /// Show a task: its state, its attempts, why it waits, its result.
    Get(get::GetArgs),
    /// Follow a task; prints its text as it comes.
    Watch(watch::WatchArgs),
    /// Cancel tasks that have not ended.
    Cancel(cancel::CancelArgs),
    /// List the workers of the fleet.
    Workers,
    /// Run a whole fleet on this machine and try it.
    Dev(dev::DevArgs),
    /// Run a supervisor in this process.
    #[command(hide = true)]
    Supervisor(service::ServiceArgs),
    /// Run a worker in this process.
    #[command(hide = true)]
    Worker(service::ServiceArgs),
    /// Run a simulated model API in this process.
    #[command(hide = true)]
    OpenaiSim(service::SimArgs),
}

/// Reads the command line; ends the process with exit code 2 when it is wrong.
pub(crate) fn parse() -> Cli {
    let mut cli = Cli::parse();
    if cli.global.address.is_empty() {
        // An empty variable counts as unset, as in every setting.
        cli.global.address = DEFAULT_ADDRESS.to_owned();
    }
    cli
}
