//! `taskfleet list`: tasks, newest first.

use std::process::ExitCode;

use clap::Args;
use taskfleet_proto::v1::Task;

use super::filter::{FilterArgs, Pages};
use crate::{args::Global, client::Client, json, output, table::Table, words};

/// Which tasks to list, and how many.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// All that there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Prints the tasks: a table, or with --json a line each.
///
/// # Errors
/// When the supervisor does not answer.
pub(crate) async fn run(global: &Global, args: ListArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let mut left = if args.all { u64::MAX } else { args.limit };
    let page = u32::try_from(left).unwrap_or(u32::MAX);
    let mut pages = Pages::new(&client, args.filter.filter(&[]), page);
    let mut is_first = true;
    while left > 0
        && let Some(mut tasks) = pages.next().await?
    {
        tasks.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= tasks.len() as u64;
        print(global, &tasks, std::mem::take(&mut is_first))?;
    }
    if pages.has_more() {
        output::talk("There are more: see --limit and --all.");
    }
    Ok(ExitCode::SUCCESS)
}

fn print(global: &Global, tasks: &[Task], is_first: bool) -> anyhow::Result<()> {
    if global.json {
        for task in tasks {
            output::line(&json::line("Task", task)?)?;
        }
    } else if !tasks.is_empty() {
        output::table(&table(tasks))?;
    } else if is_first {
        output::talk("There are no such tasks.");
    }
    Ok(())
}

/// Tasks as a table.
fn table(tasks: &[Task]) -> Table {
    let mut table = Table::new([
        "task", "state", "group", "ref", "tenant", "model", "worker", "created", "took", "so far",
        "remarks",
    ]);
    for task in tasks {
        let took = words::between(task.created_at, task.finished_at);
        table.row([
            task.id.clone(),
            words::task_state(task.state()).to_string(),
            output::cell(&task.group),
            output::cell(&task.client_ref),
            output::cell(&task.tenant),
            output::cell(&task.model),
            output::cell(&task.worker),
            words::ago(task.created_at),
            took.map(words::duration).unwrap_or_default(),
            words::counters(&task.counters.unwrap_or_default()),
            remarks(task),
        ]);
    }
    table
}

/// Why it waits, why it failed, and what it tries again.
fn remarks(task: &Task) -> String {
    let retry = match task.retry_of.as_str() {
        "" => String::new(),
        first => format!("retry of {first}"),
    };
    let waiting = task.waiting.as_ref().map(words::waiting).unwrap_or_default();
    // A list has no results: what else there is to say of a failure, `get` says.
    let parts = [waiting, words::kind(task.kind()).to_owned(), retry];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    output::cell(&said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskfleet_proto::v1::{Counters, TaskState, WaitReason, Waiting};
    use taskfleet_proto::worker::FailureKind;

    fn task(id: &str, state: TaskState) -> Task {
        let mut task = Task { id: id.into(), group: "g".into(), ..Task::default() };
        task.set_state(state);
        task
    }

    #[test]
    fn a_list_says_why_tasks_wait_and_why_they_failed() {
        let mut waiting = Waiting { detail: "no worker is ready".into(), ..Waiting::default() };
        waiting.set_reason(WaitReason::NoWorker);
        let queued = Task { waiting: Some(waiting), ..task("a", TaskState::Queued) };
        let counters = Some(Counters { attempts: 3, ..Counters::default() });
        let mut failed = Task { counters, ..task("b", TaskState::Failed) };
        failed.set_kind(FailureKind::ApiError);
        let table = table(&[queued, failed]);
        let lines: Vec<String> =
            table.lines().map(|line| console::strip_ansi_codes(&line).into_owned()).collect();
        assert_eq!(
            lines,
            [
                "TASK  STATE   GROUP  SO FAR             REMARKS",
                "a     queued  g                         no worker: no worker is ready",
                "b     failed  g      3 failed attempts  api_error",
            ]
        );
    }
}
