//! `taskfleet get`: everything that is known of a task.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use taskfleet_proto::v1::{Attempt, GetTaskRequest, Task, TaskResult, TaskState};

use crate::{
    args::Global,
    client::Client,
    follow::{result_text, whole_result},
    json, output,
    table::Table,
    words,
};

/// How much of a result the table shows, in bytes.
const SHOWN_RESULT: usize = 2_000;

/// Which task to show.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The task's id.
    #[arg(value_name = "ID")]
    id: String,
    /// Print the result only, whole and as it came.
    #[arg(long)]
    result: bool,
}

/// Shows the task.
///
/// # Errors
/// When it is unknown, or `--result` is asked of a task that has none.
pub(crate) async fn run(global: &Global, args: GetArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let request = GetTaskRequest { task_id: args.id };
    let answer = client.answer(client.tasks().get_task(request)).await?;
    if args.result {
        let task = answer.task.context("the answer holds no task")?;
        return print_result(&client, &task).await;
    }
    if global.json {
        output::line(&json::pretty("GetTaskResponse", &answer)?)?;
    } else {
        show(&answer.task.context("the answer holds no task")?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the whole result of a task that completed.
///
/// # Errors
/// When it has none; says why.
pub(crate) async fn print_result(client: &Client, task: &Task) -> anyhow::Result<ExitCode> {
    match task.state() {
        TaskState::Completed => {
            let mut bytes = whole_result(client, task).await?;
            if !bytes.ends_with(b"\n") {
                bytes.push(b'\n');
            }
            output::bytes(&bytes)?;
            Ok(ExitCode::SUCCESS)
        }
        state if words::is_ended(state) => bail!("there is no result: {}", words::ending(task)),
        state => bail!("there is no result yet: the task is {}", words::task_state(state)),
    }
}

fn show(task: &Task) -> anyhow::Result<()> {
    output::table(&summary(task))?;
    if !task.attempts.is_empty() {
        output::line("")?;
        output::table(&attempts(&task.attempts))?;
    }
    if let Some(result) = &task.result {
        show_result(result)?;
    }
    Ok(())
}

fn summary(task: &Task) -> Table {
    let mut table = Table::of_pairs();
    table.pair("task", &task.id);
    table.pair("state", words::task_state(task.state()).to_string());
    table.pair("waits for", task.waiting.as_ref().map(words::waiting).unwrap_or_default());
    table.pair("worker", &task.worker);
    table.pair("model", &task.model);
    table.pair("endpoint", &task.endpoint);
    table.pair("tenant", &task.tenant);
    table.pair("group", &task.group);
    table.pair("client ref", &task.client_ref);
    table.pair("labels", labels(task));
    table.pair("priority", task.priority.to_string());
    table.pair("parent", &task.parent_id);
    table.pair("retry of", &task.retry_of);
    table.pair("created", words::moment(task.created_at));
    table.pair("not before", words::moment(task.not_before));
    table.pair("started", words::moment(task.started_at));
    table.pair("finished", words::moment(task.finished_at));
    if task.finished_at.is_none() {
        table.pair("deadline", words::moment(task.deadline));
    }
    table.pair("so far", words::counters(&task.counters.unwrap_or_default()));
    table
}

fn labels(task: &Task) -> String {
    let mut labels: Vec<String> =
        task.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.sort();
    labels.join(" ")
}

fn attempts(attempts: &[Attempt]) -> Table {
    let mut table =
        Table::new(["#", "worker", "started", "end", "took", "http", "tokens", "paid", "remarks"]);
    for (index, attempt) in attempts.iter().enumerate() {
        let took = words::between(attempt.started_at, attempt.ended_at);
        let http = Some(attempt.http_status).filter(|status| *status > 0);
        table.row([
            (index + 1).to_string(),
            attempt.worker.clone(),
            words::ago(attempt.started_at),
            words::short(attempt.end().as_str_name(), "ATTEMPT_END_"),
            took.map(words::duration).unwrap_or_default(),
            http.map(|status| status.to_string()).unwrap_or_default(),
            words::tokens(attempt.usage.as_ref()),
            if attempt.possibly_paid { "possibly".to_owned() } else { String::new() },
            remarks(attempt),
        ]);
    }
    table
}

fn remarks(attempt: &Attempt) -> String {
    let parts = [words::kind(attempt.kind()), &attempt.error, &attempt.provider_request_id];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    output::cell(&said.join("; "))
}

fn show_result(result: &TaskResult) -> anyhow::Result<()> {
    let mut table = Table::of_pairs();
    table.pair("served by", &result.served_model);
    table.pair("finish", &result.finish_reason);
    table.pair("tokens", words::tokens(result.usage.as_ref()));
    table.pair("request id", &result.provider_request_id);
    table.pair("failure", words::kind(result.kind()));
    table.pair("error", output::cell(&result.error));
    output::line("")?;
    output::table(&table)?;
    show_text(result)
}

fn show_text(result: &TaskResult) -> anyhow::Result<()> {
    let text = result_text(result);
    if text.is_empty() {
        return Ok(());
    }
    let shown = &text[..text.floor_char_boundary(SHOWN_RESULT)];
    output::line("")?;
    output::line(output::printable(shown).trim_end())?;
    if result.truncated || shown.len() < text.len() {
        output::talk(&format!("… {} bytes in all: --result prints them.", result.size_bytes));
    }
    Ok(())
}
