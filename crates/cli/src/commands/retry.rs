//! `taskfleet retry`: tries ended tasks again, as new tasks.

use std::process::ExitCode;

use taskfleet_proto::v1::{RetryTaskRequest, RetryTaskResponse};

use super::{
    bulk::{self, BulkArgs, Deed, Outcome, Told},
    filter::State,
};
use crate::{args::Global, client::Client, failure::Failure, json, words};

const ENDED: &[State] = &[State::Completed, State::Failed, State::Cancelled];
const DEED: Deed =
    Deed { verb: "retry", done: "retried", states: &[State::Failed], possible: ENDED };

/// Retries each task. The key is made of its id, so that the command may be repeated: a task
/// is retried once, and then its retry is.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global, args: BulkArgs) -> anyhow::Result<ExitCode> {
    args.check(&DEED)?;
    let client = Client::connect(&global.address).await?;
    let Some(ids) = args.ids(&client, &DEED).await? else { return Ok(ExitCode::FAILURE) };
    let act = |id| retry(&client, id);
    bulk::each(&DEED, ids, act, |id, answer| tell(global, id, answer)).await
}

async fn retry(client: &Client, id: String) -> Result<RetryTaskResponse, Failure> {
    let idempotency_key = format!("retry:{id}");
    let request = RetryTaskRequest { task_id: id, idempotency_key };
    client.answer(client.tasks().retry_task(request)).await
}

fn tell(global: &Global, id: &str, answer: &RetryTaskResponse) -> anyhow::Result<Told> {
    let new = &answer.task_id;
    let line = if global.json {
        json::line_with("RetryTaskResponse", answer, "retryOf", id)?
    } else if answer.existing {
        format!("{id} was retried before as {new}: {}", words::task_state(answer.state()))
    } else {
        format!("{id} retried as {new}")
    };
    let outcome = if answer.existing { Outcome::Before } else { Outcome::Done };
    Ok(Told { line, outcome })
}
