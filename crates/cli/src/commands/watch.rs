//! `taskfleet watch`: follows a task to its end.

use std::{io, process::ExitCode, time::Duration};

use clap::Args;
use taskfleet_proto::v1::{GetTaskRequest, Task, TaskState, TaskStateChanged, watch_task_response};

use crate::{
    args::Global,
    client::Client,
    follow::{Event, Follow},
    json, output, words,
};

/// A task that is queued for so long is not just about to start.
const UNEXPLAINED: Duration = Duration::from_secs(2);

/// Which task to follow.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The task's id.
    #[arg(value_name = "ID")]
    id: String,
}

/// Follows the task; ends with 0 only when it completed.
///
/// # Errors
/// When the supervisor refuses or stays away.
pub(crate) async fn run(global: &Global, args: WatchArgs) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&global.address).await?;
    let follow = Follow::new(client, args.id);
    if global.json { print_messages(follow).await } else { print_text(follow).await }
}

/// Prints the text as it comes, and says what happens.
///
/// # Errors
/// As [`run`].
pub(crate) async fn print_text(mut follow: Follow) -> anyhow::Result<ExitCode> {
    let mut page = Page::default();
    loop {
        match next(&mut follow, &mut page).await? {
            Event::Text(text) => page.text(&text)?,
            Event::StartedAgain => page.talk("— started again —")?,
            Event::Interrupted => page.talk("the connection broke; making it again")?,
            Event::State(change) => {
                page.is_waiting = change.state() == TaskState::Queued;
                if let Some(words) = said_of(&change) {
                    page.talk(&words)?;
                }
            }
            Event::Ended(task) => {
                page.talk(&words::ending(&task))?;
                return Ok(exit_code(&task));
            }
        }
    }
}

/// The next event; of a task that waits for it for a while, says why.
async fn next(follow: &mut Follow, page: &mut Page) -> anyhow::Result<Event> {
    let (client, task_id) = follow.target();
    let next = follow.next();
    tokio::pin!(next);
    if std::mem::take(&mut page.is_waiting) {
        if let Ok(event) = tokio::time::timeout(UNEXPLAINED, &mut next).await {
            return Ok(event?);
        }
        let mut tasks = client.tasks();
        let answer = client.answer(tasks.get_task(GetTaskRequest { task_id })).await;
        // Not knowing why changes nothing: the events go on, or say that it is gone.
        let task = answer.ok().and_then(|answer| answer.task);
        if let Some(waiting) = task.and_then(|task| task.waiting) {
            page.talk(&format!("waits for {}", words::waiting(&waiting)))?;
        }
    }
    Ok(next.await?)
}

/// Prints each message as a line of JSON.
async fn print_messages(mut follow: Follow) -> anyhow::Result<ExitCode> {
    loop {
        let Some(message) = follow.message().await? else {
            continue;
        };
        output::line(&json::line("WatchTaskResponse", &message)?)?;
        if let Some(watch_task_response::Event::Ended(task)) = &message.event {
            return Ok(exit_code(task));
        }
    }
}

/// 0 when the task completed, 1 otherwise.
pub(crate) fn exit_code(task: &Task) -> ExitCode {
    if task.state() == TaskState::Completed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A state in words; `None` for one whose own event says more.
fn said_of(change: &TaskStateChanged) -> Option<String> {
    let kind = words::kind(change.kind());
    match change.state() {
        TaskState::Running if change.worker.is_empty() => Some("running".to_owned()),
        TaskState::Running => Some(format!("running on {}", change.worker)),
        TaskState::Queued => {
            let why = if kind.is_empty() { String::new() } else { format!(" again after {kind}") };
            let pause = change.not_before.map(words::until).filter(|pause| !pause.is_zero());
            let pause = pause.map(|pause| format!(", for {}", words::duration(pause)));
            Some(format!("queued{why}{}", pause.unwrap_or_default()))
        }
        _ => None,
    }
}

/// Keeps text and talk on lines of their own where both go to one terminal.
#[derive(Default)]
struct Page {
    in_a_line: bool,
    /// The task is queued, and nobody has said why.
    is_waiting: bool,
}

impl Page {
    fn text(&mut self, text: &str) -> io::Result<()> {
        self.in_a_line = !text.ends_with('\n');
        output::text(text)
    }

    fn talk(&mut self, words: &str) -> io::Result<()> {
        if std::mem::take(&mut self.in_a_line) {
            output::text("\n")?;
        }
        output::talk(&console::style(words).dim().for_stderr().to_string());
        Ok(())
    }
}
