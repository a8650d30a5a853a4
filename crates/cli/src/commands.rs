//! One module for each command.

pub(crate) mod cancel;
pub(crate) mod dev;
pub(crate) mod get;
pub(crate) mod service;
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
        Command::Workers => workers::run(&global).await,
        Command::Dev(args) => dev::run(args).await,
        Command::Supervisor(args) => {
            Ok(services::supervisor(args.config, args.exit_with_parent).await)
        }
        Command::Worker(args) => Ok(services::worker(args.config, args.exit_with_parent).await),
        Command::OpenaiSim(args) => service::run_sim(args).await,
    }
}
