//! `taskfleet cancel`: ends tasks before their time.

use std::process::ExitCode;

use clap::Args;
use taskfleet_proto::v1::{CancelTaskRequest, CancelTaskResponse};

use crate::{
    args::Global,
    client::Client,
    failure::{self, Failure},
    json, output, words,
};

/// Which tasks to cancel.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The tasks' ids.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Cancels each task; one that cannot be does not keep the others.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global, args: CancelArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let mut code = ExitCode::SUCCESS;
    for id in args.ids {
        let request = CancelTaskRequest { task_id: id.clone() };
        match client.answer(client.tasks().cancel_task(request)).await {
            Ok(answer) => tell(global, &id, &answer)?,
            Err(refused @ Failure::Refused(_)) => {
                code = failure::report(&anyhow::Error::new(refused).context(id));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(code)
}

fn tell(global: &Global, id: &str, answer: &CancelTaskResponse) -> anyhow::Result<()> {
    let line = if global.json {
        json::line("CancelTaskResponse", answer)?
    } else if answer.cancelled {
        format!("{id} cancelled")
    } else {
        format!("{id} had ended before: {}", words::task_state(answer.state()))
    };
    Ok(output::line(&line)?)
}
