//! One module for each command.

pub(crate) mod backup;
pub(crate) mod bulk;
pub(crate) mod cancel;
pub(crate) mod dev;
pub(crate) mod drain;
mod filter;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod list;
mod retry;
pub(crate) mod service;
mod stats;
pub(crate) mod submit;
pub(crate) mod watch;
pub(crate) mod workers;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command},
    services,
};

/// Runs the command that was asked for.
///
/// # Errors
/// What went wrong, for [`crate::failure::report`].
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let global = cli.global;
    match cli.command {
        Command::Submit(args) => submit::run(&global, *args).await,
        Command::Get(args) => get::run(&global, args).await,
        Command::Watch(args) => watch::run(&global, args).await,
        Command::Cancel(args) => cancel::run(&global, args).await,
        Command::List(args) => list::run(&global, args).await,
        Command::Retry(args) => retry::run(&global, args).await,
        Command::Drain(args) => drain::run(&global, args).await,
        Command::Stats => stats::run(&global).await,
        Command::Health(args) => health::run(&global, args).await,
        Command::Backup(args) => backup::run(&global, args).await,
        Command::Workers => workers::run(&global).await,
        Command::Dev(args) => dev::run(args).await,
        Command::Supervisor(args) => Ok(services::supervisor(args.options).await),
        Command::Worker(args) => Ok(services::worker(args.options).await),
        Command::OpenaiSim(args) => service::run_sim(args).await,
    }
}
