//! The command line as a whole; each command's own arguments stand with the command.

use clap::{Args, Parser, Subcommand};

use crate::commands::{backup, bulk, dev, drain, get, health, list, service, submit, watch};

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
    #[arg(long, alias = "addr", global = true, env = "TASKFLEET_ADDRESS")]
    #[arg(default_value = DEFAULT_ADDRESS)]
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Print JSON, the same that grpcurl prints; a line each where there are many.
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
    /// List tasks, newest first; says why they wait.
    List(list::ListArgs),
    /// Cancel tasks that have not ended.
    Cancel(bulk::BulkArgs),
    /// Try ended tasks again, as new tasks; failed ones unless --state says otherwise.
    Retry(bulk::BulkArgs),
    /// List the workers of the fleet.
    Workers,
    /// Give a worker no new work; what runs there ends there.
    Drain(drain::DrainArgs),
    /// Show the fleet in numbers.
    Stats,
    /// Ask a supervisor or a worker whether it serves.
    Health(health::HealthArgs),
    /// Copy the store on the supervisor's machine, while it goes on.
    Backup(backup::BackupArgs),
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
