//! `taskfleet submit`: hands over a task, once, whatever happens to the connection.

mod spec;

use std::{process::ExitCode, time::Duration};

use taskfleet_proto::v1::{SubmitTaskResponse, Task, TaskSpec};

use super::{get, watch};
use crate::{
    args::{DEFAULT_ADDRESS, Global},
    batch::{self, Input},
    client::Client,
    failure::Failure,
    follow::{Event, Follow},
    json, output,
    patience::Patience,
    stop::Stop,
};
use spec::Submission;
pub(crate) use spec::{SubmitArgs, label, random_key};

/// How long a supervisor that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Submits; then prints the id, or follows the task.
///
/// # Errors
/// When the supervisor refuses, is not reachable, or did not answer in time.
pub(crate) async fn run(global: &Global, args: SubmitArgs) -> anyhow::Result<ExitCode> {
    let spec = match args.input()? {
        Submission::One(prompt) => args.spec(prompt)?,
        Submission::Many(input) => return many(global, args, input).await,
    };
    let client = Client::connect(&global.address).await?;
    let mut stop = Stop::listen()?;
    let key = spec.idempotency_key.clone();
    let answer = tokio::select! {
        answer = submit(&client, spec) => answer?,
        () = stop.next() => return Ok(interrupted(&said_of_unknown(&key))),
    };
    if args.watch || args.wait {
        let goes_on = said_of_accepted(&client, &answer.task_id);
        return tokio::select! {
            code = follow(global, &args, client, answer) => code,
            () = stop.next() => Ok(interrupted(&goes_on)),
        };
    }
    if global.json {
        output::line(&json::pretty("SubmitTaskResponse", &answer)?)?;
    } else {
        output::line(&answer.task_id)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A task that is under way does not end with the command that waits for it.
fn interrupted(what_now: &str) -> ExitCode {
    output::talk(&format!("Interrupted. {what_now}"));
    Stop::exit_code()
}

fn said_of_unknown(key: &str) -> String {
    format!(
        "Whether the supervisor took the task is unknown.\n\
         Asking again with --idempotency-key {key} cannot make the task twice."
    )
}

fn said_of_accepted(client: &Client, id: &str) -> String {
    let there = match client.address() {
        DEFAULT_ADDRESS => String::new(),
        address => format!(" --address {address}"),
    };
    format!(
        "Task {id} goes on: `taskfleet watch {id}{there}` follows it, \
         `taskfleet cancel {id}{there}` ends it."
    )
}

async fn many(global: &Global, args: SubmitArgs, input: Input) -> anyhow::Result<ExitCode> {
    let base = args.base()?;
    let options = batch::Options {
        address: global.address.clone(),
        json: global.json,
        wait: args.wait,
        out: args.file.out,
        skip_bad: args.file.skip_bad,
        patience: args.file.patience,
    };
    batch::run(input, base, options).await
}

/// Asks until there is an answer. No answer means unknown, and the idempotency key makes
/// asking again safe.
async fn submit(client: &Client, spec: TaskSpec) -> Result<SubmitTaskResponse, Failure> {
    let mut patience = Patience::new(PATIENCE);
    loop {
        match client.answer(client.tasks().submit_task(spec.clone())).await {
            Err(Failure::Unreachable { address, cause }) => {
                if !patience.is_tried() {
                    output::talk(&format!("no answer from {address} ({cause}); asking again"));
                }
                if !patience.pause().await {
                    let key = spec.idempotency_key;
                    return Err(Failure::Unknown { address, cause, key, patience: PATIENCE });
                }
            }
            answer => return answer,
        }
    }
}

async fn follow(
    global: &Global,
    args: &SubmitArgs,
    client: Client,
    answer: SubmitTaskResponse,
) -> anyhow::Result<ExitCode> {
    let follow = Follow::new(client.clone(), answer.task_id.clone());
    if args.watch && !global.json {
        output::talk(&format!("task {}", answer.task_id));
        return watch::print_text(follow).await;
    }
    let task = ended(follow).await?;
    if global.json {
        output::line(&json::pretty("Task", &task)?)?;
        return Ok(watch::exit_code(&task));
    }
    get::print_result(&client, &task).await
}

async fn ended(mut follow: Follow) -> Result<Task, Failure> {
    loop {
        if let Event::Ended(task) = follow.next().await? {
            return Ok(*task);
        }
    }
}
