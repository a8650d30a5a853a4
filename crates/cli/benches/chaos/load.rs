//! The tasks of a run, and the clients that submit them evenly over its time.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use taskfleet_proto::v1::{HttpRequest, SubmitTasksRequest, TaskSpec};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use crate::{
    chaos::shape::{LONG_CALL, Shape},
    client::Client,
};

/// Clients that submit, side by side.
const CLIENTS: usize = 6;
/// Tasks that go together: as one submission, or one by one.
const TOGETHER: u32 = 10;
/// Deltas of an answer.
const DELTAS: u32 = 10;
/// One of so many tasks is a whole request instead of content.
const REQUESTS: u32 = 8;
pub(crate) const GROUP: &str = "chaos";
/// Tenants take turns; the tasks are dealt out to them.
pub(crate) const TENANTS: [&str; 3] = ["ada", "bob", "cyd"];

/// What was accepted, by the tasks' numbers.
#[derive(Default)]
pub(crate) struct Accepted {
    ids: Mutex<BTreeMap<u32, String>>,
    /// Submissions that had to be asked again.
    again: AtomicU32,
}

impl Accepted {
    pub(crate) fn ids(&self) -> BTreeMap<u32, String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn asked_again(&self) -> u32 {
        self.again.load(Ordering::Relaxed)
    }

    fn note(&self, number: u32, id: String) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(number, id);
    }
}

/// Submits all tasks of `shape`, each when its time has come; what was refused, in words.
pub(crate) async fn submit(shape: &Shape, client: &Client, accepted: &Accepted) -> Vec<String> {
    let next = AtomicU32::new(0);
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|_| async {
        let mut refused = Vec::new();
        loop {
            let first = next.fetch_add(TOGETHER, Ordering::Relaxed);
            if first >= shape.tasks {
                return refused;
            }
            sleep_until(start + due(shape, first)).await;
            if let Err(status) = submit_some(shape, first, client, accepted).await {
                refused.push(format!("a submission was refused: {status}"));
            }
        }
    });
    join_all(clients).await.concat()
}

fn due(shape: &Shape, number: u32) -> Duration {
    shape.lasts.mul_f64(f64::from(number) / f64::from(shape.tasks))
}

async fn submit_some(
    shape: &Shape,
    first: u32,
    client: &Client,
    accepted: &Accepted,
) -> Result<(), Status> {
    let numbers = first..(first + TOGETHER).min(shape.tasks);
    if (first / TOGETHER).is_multiple_of(2) {
        return submit_together(shape, numbers.collect(), client, accepted).await;
    }
    for number in numbers {
        let mut tries = 0;
        let answer = client.ask(|client| {
            tries += 1;
            let spec = spec(shape, number);
            async move { client.tasks().submit_task(spec).await }
        });
        accepted.note(number, answer.await?.task_id);
        accepted.again.fetch_add(tries - 1, Ordering::Relaxed);
    }
    Ok(())
}

async fn submit_together(
    shape: &Shape,
    numbers: Vec<u32>,
    client: &Client,
    accepted: &Accepted,
) -> Result<(), Status> {
    let mut tries = 0;
    let answer = client.ask(|client| {
        tries += 1;
        let tasks = numbers.iter().map(|number| spec(shape, *number)).collect();
        async move { client.tasks().submit_tasks(SubmitTasksRequest { tasks }).await }
    });
    let answered = answer.await?.tasks;
    for (number, task) in numbers.into_iter().zip(answered) {
        accepted.note(number, task.task_id);
    }
    accepted.again.fetch_add(tries - 1, Ordering::Relaxed);
    Ok(())
}

fn spec(shape: &Shape, number: u32) -> TaskSpec {
    let prompt = prompt(shape, number);
    let mut spec = TaskSpec {
        idempotency_key: format!("{}/{number}", shape.seed),
        group: GROUP.into(),
        tenant: tenant(number).into(),
        client_ref: number.to_string(),
        labels: [("parity".to_owned(), parity(number).to_owned())].into(),
        ..TaskSpec::default()
    };
    if number % REQUESTS == 1 {
        let message = serde_json::json!({ "role": "user", "content": prompt });
        let body = serde_json::json!({ "model": "simulated", "messages": [message] }).to_string();
        spec.request = Some(HttpRequest { endpoint: "/v1/chat/completions".into(), body });
    } else {
        spec.content = prompt;
    }
    spec
}

pub(crate) fn tenant(number: u32) -> &'static str {
    TENANTS[number as usize % TENANTS.len()]
}

pub(crate) fn parity(number: u32) -> &'static str {
    if number.is_multiple_of(2) { "even" } else { "odd" }
}

/// Every answer to the task begins with this.
pub(crate) fn answer(shape: &Shape, number: u32) -> String {
    format!("digest:{}", openai_sim::digest(&prompt(shape, number)))
}

fn prompt(shape: &Shape, number: u32) -> String {
    let call = if number.is_multiple_of(10) { shape.call * LONG_CALL } else { shape.call };
    let delay = (call / DELTAS).as_millis().max(1);
    let seed = shape.seed;
    format!("task {number} of run {seed} [sim:ok,deltas={DELTAS},delay={delay}]")
}
