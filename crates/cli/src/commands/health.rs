//! `taskfleet health`: what a supervisor or a worker says about itself, for people and probes.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use taskfleet_runtime::health::probe;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::{args::Global, client::Client, failure::Failure, output, stranger, table::Table};

/// The names that supervisors and workers tell of. The empty one is the whole process.
const NAMES: [&str; 7] = [
    "",
    "live",
    "taskfleet.v1.TaskService",
    "taskfleet.v1.FleetService",
    "taskfleet.v1.WorkerRegistry",
    "taskfleet.v1.WorkerControl",
    "worker.WorkerService",
];

/// Whose health.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 it serves, 1 it does not, 3 it is not reachable. \
    A worker is asked in the same way: --address HOST:50052.")]
pub(crate) struct HealthArgs {
    /// Only this service; `live` says that the process turns, whatever it needs from others
    /// [default: all, and the whole process decides].
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
}

/// Prints what it says; ends with 0 only when it serves.
///
/// # Errors
/// When it does not answer, or does not know the service.
pub(crate) async fn run(global: &Global, args: HealthArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let mut told = Vec::new();
    match &args.service {
        Some(name) => told.push((name.as_str(), check(&client, name).await?)),
        None => {
            for name in NAMES {
                match check(&client, name).await {
                    Err(Failure::Refused(status)) if status.code() == Code::NotFound => {}
                    status => told.push((name, status?)),
                }
            }
        }
    }
    if told.iter().all(|(name, _)| name.is_empty()) {
        return Err(client.stranger(stranger::OTHER_GRPC).into());
    }
    let serves = told.first().is_some_and(|(_, status)| *status == ServingStatus::Serving);
    print(global, &told)?;
    Ok(if serves { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check(client: &Client, service: &str) -> Result<ServingStatus, Failure> {
    Ok(client.answer(probe::check(client.channel(), service)).await?.status())
}

fn print(global: &Global, told: &[(&str, ServingStatus)]) -> anyhow::Result<()> {
    if global.json {
        let statuses: Map<String, Value> = told
            .iter()
            .map(|(name, status)| ((*name).to_owned(), json!({"status": status.as_str_name()})))
            .collect();
        return Ok(output::line(&json!({ "statuses": statuses }).to_string())?);
    }
    let mut table = Table::of_pairs();
    for (name, status) in told {
        let name = if name.is_empty() { "all" } else { name };
        table.pair(name, status.as_str_name().to_lowercase().replace('_', " "));
    }
    Ok(output::table(&table)?)
}
