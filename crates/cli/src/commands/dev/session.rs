//! Submits the prompts, shows how they go, and sums up.

use std::{io, time::Duration};

use anyhow::Context;
use taskfleet_proto::v1::{GetTaskRequest, SubmitTasksRequest, Task, TaskSpec, TaskState};
use tokio::{sync::mpsc, task::JoinSet, time::interval};

use super::{board::Board, samples, screen::Screen, waits::Waits};
use crate::{
    client::Client,
    commands::submit::random_key,
    failure::Failure,
    follow::{Event, Follow},
    output::printable,
    table::Table,
    words,
};

/// Often enough to look alive, seldom enough to be calm.
const REDRAW: Duration = Duration::from_millis(80);
/// How much of a prompt the table shows, in columns.
const SHOWN_PROMPT: usize = 40;

/// Runs the prompts; whether all completed.
///
/// # Errors
/// When they cannot be submitted, or the supervisor stays away.
pub(super) async fn run(
    client: &Client,
    prompts: &[String],
    screen: &Screen,
) -> anyhow::Result<bool> {
    let prompts = samples::or_samples(prompts);
    let group = format!("dev-{}", random_key());
    let ids = submit(client, &prompts, &group).await?;
    announce(&prompts, &group, screen)?;
    let waits = Waits::new(ids.len());
    tokio::select! {
        followed = follow_all(client, &ids, Board::new(screen.clone(), &prompts), &waits) => followed?,
        never = waits.tell(client, &ids, screen) => match never {},
    }
    let mut tasks = Vec::new();
    for id in ids {
        tasks.push(get(client, id).await?);
    }
    sum_up(&prompts, &tasks, screen)?;
    Ok(tasks.iter().all(|task| task.state() == TaskState::Completed))
}

async fn submit(client: &Client, prompts: &[String], group: &str) -> anyhow::Result<Vec<String>> {
    let spec = |prompt: &String| TaskSpec {
        content: prompt.clone(),
        group: group.to_owned(),
        idempotency_key: random_key(),
        ..TaskSpec::default()
    };
    let request = SubmitTasksRequest { tasks: prompts.iter().map(spec).collect() };
    let answer = client.answer(client.tasks().submit_tasks(request)).await?;
    Ok(answer.tasks.into_iter().map(|task| task.task_id).collect())
}

fn announce(prompts: &[String], group: &str, screen: &Screen) -> io::Result<()> {
    let noun = if prompts.len() == 1 { "task" } else { "tasks" };
    screen.line(&format!("Submitted {} {noun} in group {group}.", prompts.len()))?;
    screen.line("")
}

/// Follows all tasks to their ends.
async fn follow_all(
    client: &Client,
    ids: &[String],
    mut board: Board,
    waits: &Waits,
) -> anyhow::Result<()> {
    // The readers wait for the screen: a slow terminal slows only what it shows.
    let (events, mut incoming) = mpsc::channel(64);
    let mut readers = JoinSet::new();
    for (index, id) in ids.iter().enumerate() {
        let follow = Follow::new(client.clone(), id.clone());
        readers.spawn(read(index, follow, events.clone()));
    }
    drop(events);
    let mut redraw = interval(REDRAW);
    loop {
        tokio::select! {
            event = incoming.recv() => match event {
                Some((index, event)) => {
                    let event = event?;
                    waits.hear(index, &event);
                    board.take(index, event)?;
                }
                None => return Ok(board.close()?),
            },
            _ = redraw.tick() => board.draw()?,
        }
    }
}

async fn read(
    index: usize,
    mut follow: Follow,
    events: mpsc::Sender<(usize, Result<Event, Failure>)>,
) {
    loop {
        let event = follow.next().await;
        let last = matches!(event, Ok(Event::Ended(_)) | Err(_));
        if events.send((index, event)).await.is_err() || last {
            return;
        }
    }
}

async fn get(client: &Client, task_id: String) -> anyhow::Result<Task> {
    let answer = client.answer(client.tasks().get_task(GetTaskRequest { task_id })).await?;
    answer.task.context("the answer holds no task")
}

fn sum_up(prompts: &[String], tasks: &[Task], screen: &Screen) -> io::Result<()> {
    let mut table = Table::new(["#", "state", "worker", "model", "tokens", "time", "prompt"]);
    for (index, (task, prompt)) in tasks.iter().zip(prompts).enumerate() {
        let result = task.result.clone().unwrap_or_default();
        let took = words::between(task.created_at, task.finished_at);
        let prompt = printable(prompt).replace(['\n', '\t'], " ");
        table.row([
            (index + 1).to_string(),
            words::task_state(task.state()).to_string(),
            task.attempts.last().map_or_else(String::new, |attempt| attempt.worker.clone()),
            result.served_model,
            words::tokens(result.usage.as_ref()),
            took.map(words::duration).unwrap_or_default(),
            console::truncate_str(&prompt, SHOWN_PROMPT, "…").into_owned(),
        ]);
    }
    // Live, the last text has left an empty line.
    if !screen.is_live() {
        screen.line("")?;
    }
    for line in table.lines() {
        screen.line(&screen.fitted(&format!("  {line}")))?;
    }
    Ok(())
}
