//! The client's machine: hands tasks in with idempotency keys, tries again until it is
//! answered, and watches.

mod connection;
mod outcomes;
mod review;
mod watcher;

use std::collections::BTreeMap;

use futures::future::{join, join_all};
use prost_types::Duration as WireDuration;
use taskfleet_proto::v1::{CancelTaskRequest, RetryPolicy, Task, TaskSpec, TaskState};

use crate::{plan::Plan, world::Shared};
use connection::Connection;

/// What the client has been told.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The id of each task of the plan that was accepted.
    pub(crate) accepted: BTreeMap<usize, String>,
    /// How each cancel was answered: whether it ended the task.
    pub(crate) cancels: BTreeMap<usize, bool>,
    /// The outcome of each task by its id, as the feed told it.
    pub(crate) outcomes: BTreeMap<String, TaskState>,
    /// Each task as it stands in the end.
    pub(crate) tasks: BTreeMap<usize, Task>,
    /// What is still held by a worker.
    pub(crate) held: Vec<String>,
}

const GROUP: &str = "simulated";

/// Does all that the plan has for the client, then looks at what has become of it.
pub(crate) async fn run(shared: Shared) -> turmoil::Result {
    let client = Client { connection: Connection::new(&shared), shared };
    let tasks = join_all((0..client.shared.plan.tasks.len()).map(|task| client.accompany(task)));
    join(tasks, client.follow_outcomes()).await;
    client.shared.journal.note("client: every outcome is known");
    client.review().await;
    Ok(())
}

struct Client {
    shared: Shared,
    connection: Connection,
}

impl Client {
    /// One task from its submission to its end.
    async fn accompany(&self, task: usize) {
        let plan = self.shared.plan.tasks[task].clone();
        tokio::time::sleep(plan.at).await;
        let id = self.hand_in(task).await;
        let cancelling = async {
            if let Some(after) = plan.cancel_after {
                tokio::time::sleep(after).await;
                self.cancel(task, &id).await;
            }
        };
        let watching = async {
            if plan.watched {
                self.watch(task, &id).await;
            }
        };
        let again = async {
            if task.is_multiple_of(5) {
                self.hand_in(task).await;
            }
        };
        tokio::join!(cancelling, watching, again);
    }

    /// Hands it in until it is accepted. Again and again it is the same task.
    async fn hand_in(&self, task: usize) -> String {
        let spec = spec(task);
        let answer = self
            .connection
            .ask(async |connected| connected.tasks().submit_task(spec.clone()).await)
            .await;
        let (id, journal) = (answer.task_id, &self.shared.journal);
        journal.note(format!("client: task {task} is {id}, known: {}", answer.existing));
        let first =
            self.seen(|seen| seen.accepted.entry(task).or_insert_with(|| id.clone()).clone());
        if first != id {
            journal.violation(format!("task {task} was accepted as {first} and as {id}"));
        }
        id
    }

    async fn cancel(&self, task: usize, id: &str) {
        let request =
            || CancelTaskRequest { task_id: id.to_owned(), ..CancelTaskRequest::default() };
        let answer = self
            .connection
            .ask(async |connected| connected.tasks().cancel_task(request()).await)
            .await;
        let ended = answer.state();
        self.shared.journal.note(format!("client: task {task} cancelled, is {ended:?}"));
        self.seen(|seen| seen.cancels.insert(task, ended == TaskState::Cancelled));
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.shared.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Attempts that fail for reasons of the network are not to end it.
fn spec(task: usize) -> TaskSpec {
    let short = |millis: i32| WireDuration { seconds: 0, nanos: millis * 1_000_000 };
    TaskSpec {
        content: Plan::content(task),
        idempotency_key: format!("key-{task}"),
        group: GROUP.to_owned(),
        retry: Some(RetryPolicy {
            max_attempts: Some(10),
            initial_backoff: Some(short(200)),
            max_backoff: Some(short(900)),
        }),
        ..TaskSpec::default()
    }
}
