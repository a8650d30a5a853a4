//! `taskfleet cancel`: ends tasks before their time.

use std::process::ExitCode;

use taskfleet_proto::v1::{CancelTaskRequest, CancelTaskResponse};

use super::{
    bulk::{self, BulkArgs, Deed, Told},
    filter::State,
};
use crate::{args::Global, client::Client, failure::Failure, json, words};

const OPEN: &[State] = &[State::Queued, State::Running];
const DEED: Deed = Deed { verb: "cancel", done: "cancelled", states: OPEN, possible: OPEN };

/// Cancels each task; one that cannot be does not keep the others.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global, args: BulkArgs) -> anyhow::Result<ExitCode> {
    args.check(&DEED)?;
    let client = Client::connect(&global.address).await?;
    let Some(ids) = args.ids(&client, &DEED).await? else { return Ok(ExitCode::FAILURE) };
    let act = |id| cancel(&client, id);
    bulk::each(&DEED, ids, act, |id, answer| tell(global, id, answer)).await
}

async fn cancel(client: &Client, task_id: String) -> Result<CancelTaskResponse, Failure> {
    client.answer(client.tasks().cancel_task(CancelTaskRequest { task_id })).await
}

fn tell(global: &Global, id: &str, answer: &CancelTaskResponse) -> anyhow::Result<Told> {
    let line = if global.json {
        json::line_with("CancelTaskResponse", answer, "taskId", id)?
    } else if answer.cancelled {
        format!("{id} cancelled")
    } else {
        format!("{id} had ended before: {}", words::task_state(answer.state()))
    };
    Ok(Told { line, changed: answer.cancelled })
}
