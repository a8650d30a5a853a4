//! `taskfleet cancel`: ends tasks before their time.

use std::process::ExitCode;

use taskfleet_proto::v1::{CancelTaskRequest, CancelTaskResponse};

use super::{
    bulk::{self, BulkArgs, Deed, Outcome, Told},
    filter::State,
};
use crate::{args::Global, client::Client, failure::Failure, json, words};

const OPEN: &[State] = &[State::Queued, State::Running];
const DEED: Deed = Deed { verb: "cancel", done: "cancelled", states: OPEN, possible: OPEN };

/// Cancels each task; one that cannot be does not keep the others. Those that are chosen by one
/// state are cancelled only while they are in it: between being listed and its turn a queued
/// task may have begun, and its call be paid for.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global, args: BulkArgs) -> anyhow::Result<ExitCode> {
    args.check(&DEED)?;
    let client = Client::connect(&global.address).await?;
    let Some(ids) = args.ids(&client, &DEED).await? else { return Ok(ExitCode::FAILURE) };
    let only_if_state = args.only_state().unwrap_or_default().into();
    let act = |task_id| cancel(&client, CancelTaskRequest { task_id, only_if_state });
    bulk::each(&DEED, ids, act, |id, answer| tell(global, id, answer)).await
}

async fn cancel(
    client: &Client,
    request: CancelTaskRequest,
) -> Result<CancelTaskResponse, Failure> {
    client.answer(client.tasks().cancel_task(request)).await
}

fn tell(global: &Global, id: &str, answer: &CancelTaskResponse) -> anyhow::Result<Told> {
    let state = answer.state();
    let outcome = match answer.cancelled {
        true => Outcome::Done,
        false if words::is_ended(state) => Outcome::Before,
        false => Outcome::Left,
    };
    let line = if global.json {
        json::line_with("CancelTaskResponse", answer, "taskId", id)?
    } else {
        let state = words::task_state(state);
        match outcome {
            Outcome::Done => format!("{id} cancelled"),
            Outcome::Before => format!("{id} had ended before: {state}"),
            Outcome::Left => format!("{id} left alone: {state} by now"),
        }
    };
    Ok(Told { line, outcome })
}
