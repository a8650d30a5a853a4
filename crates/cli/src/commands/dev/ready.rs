//! Waits until the fleet is complete, and shows it.

use std::time::Duration;

use anyhow::bail;
use taskfleet_proto::v1::{ListWorkersRequest, Worker, WorkerState};
use tokio::time::{Instant, sleep};

use super::{fleet::Fleet, screen::Screen};
use crate::{client::Client, commands::workers, words};

/// A fleet that is not complete by then will not be.
const LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until `count` workers are ready; a client of their supervisor.
///
/// # Errors
/// When they are not within half a minute; says what they were instead.
pub(super) async fn wait(fleet: &Fleet, count: u16, screen: &Screen) -> anyhow::Result<Client> {
    let client = Client::connect(fleet.address()).await?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let workers = ours(&client).await.unwrap_or_default();
        let ready = workers.iter().filter(|worker| worker.state() == WorkerState::Ready).count();
        if ready >= usize::from(count) {
            show(fleet, &workers, screen)?;
            return Ok(client);
        }
        if Instant::now() > deadline {
            bail!("only {ready} of {count} workers are ready: {}", states(&workers));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The workers that are there; a kept store may tell of lost ones too.
async fn ours(client: &Client) -> anyhow::Result<Vec<Worker>> {
    let answer = client.answer(client.fleet().list_workers(ListWorkersRequest {})).await?;
    let there = |worker: &Worker| worker.state() != WorkerState::Lost;
    Ok(answer.workers.into_iter().filter(there).collect())
}

fn show(fleet: &Fleet, workers: &[Worker], screen: &Screen) -> anyhow::Result<()> {
    let count = workers.len();
    let noun = if count == 1 { "worker" } else { "workers" };
    screen
        .line(&format!("The supervisor listens on {}; {count} {noun} ready.", fleet.address()))?;
    screen.line("")?;
    for line in workers::table(workers).lines() {
        screen.line(&screen.fitted(&format!("  {line}")))?;
    }
    Ok(screen.line("")?)
}

fn states(workers: &[Worker]) -> String {
    let said = workers.iter().map(|worker| {
        format!("{} is {} {}", worker.name, words::worker_state(worker.state()), worker.detail)
    });
    said.collect::<Vec<_>>().join(", ")
}
