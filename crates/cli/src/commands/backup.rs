//! `taskfleet backup`: a copy of the store, while the supervisor goes on.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use taskfleet_proto::v1::BackupStoreRequest;

use crate::{args::Global, client::Client, json, output, words};

/// A store of 20 GiB on a slow disk takes less.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Where the copy goes.
#[derive(Debug, Args)]
#[command(after_help = "A supervisor that is started on the copy takes the workers over that had \
    tasks when it was made. The original, if it still runs, then stands back: it hands out nothing \
    and takes no tasks until it is started again. Outcomes of calls that the copy did not start \
    stay with the workers for an hour, so that the original still gets them.")]
pub(crate) struct BackupArgs {
    /// An absolute path on the supervisor's machine, to a file that does not exist yet.
    #[arg(value_name = "PATH")]
    path: String,
}

/// Returns when the copy is on disk.
///
/// # Errors
/// When it cannot be made.
pub(crate) async fn run(global: &Global, args: BackupArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let request = BackupStoreRequest { path: args.path.clone() };
    let answer = client.answer_within(LIMIT, client.fleet().backup_store(request)).await?;
    let line = match global.json {
        true => json::pretty("BackupStoreResponse", &answer)?,
        false => format!("{}: {}", args.path, words::bytes(answer.size_bytes)),
    };
    output::line(&line)?;
    Ok(ExitCode::SUCCESS)
}
