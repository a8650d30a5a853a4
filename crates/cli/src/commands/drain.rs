//! `taskfleet drain`: takes a worker out of service, and back.

use std::process::ExitCode;

use clap::Args;
use taskfleet_proto::v1::DrainWorkerRequest;

use super::workers;
use crate::{args::Global, client::Client, json, output};

/// Which worker.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The worker's name or boot id.
    #[arg(value_name = "WORKER")]
    worker: String,
    /// Take it back into service.
    #[arg(long)]
    undo: bool,
}

/// No new work for the worker; what runs there ends there.
///
/// # Errors
/// When there is no such worker.
pub(crate) async fn run(global: &Global, args: DrainArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let request = DrainWorkerRequest { worker: args.worker, drain: !args.undo };
    let answer = client.answer(client.fleet().drain_worker(request)).await?;
    if global.json {
        output::line(&json::pretty("DrainWorkerResponse", &answer)?)?;
    } else if let Some(worker) = answer.worker {
        output::table(&workers::table(&[worker]))?;
    }
    Ok(ExitCode::SUCCESS)
}
