//! Workers that know the published messages only: one streaming RPC is enough.

mod contract;
mod listing;
mod losses;
mod proof;

use std::net::SocketAddr;

use taskfleet_proto::v1::{RetryPolicy, TaskSpec};

use crate::fleet::{Fleet, until};

/// No test but the process that the others start; see `published::run` for what it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of other tests"]
async fn a_worker_of_another_make() {
    let listen: SocketAddr = std::env::var("PUBLISHED_LISTEN").unwrap().parse().unwrap();
    let calls = std::env::var("PUBLISHED_CALLS").ok().and_then(|calls| calls.parse().ok());
    let limits = published::Limits { calls: calls.unwrap_or(usize::MAX) };
    published::run(listen, limits).await.unwrap();
}

/// A task whose attempts follow each other quickly.
fn quick(content: &str) -> TaskSpec {
    let pause = prost_types::Duration { seconds: 0, nanos: 20_000_000 };
    let retry = RetryPolicy {
        max_attempts: Some(3),
        initial_backoff: Some(pause),
        max_backoff: Some(pause),
    };
    TaskSpec { content: content.to_owned(), retry: Some(retry), ..TaskSpec::default() }
}

async fn submit(fleet: &Fleet, spec: TaskSpec) -> String {
    fleet.tasks().submit_task(spec).await.unwrap().into_inner().task_id
}

/// Waits until a worker has said this of a task: "called", "ended" or "dropped".
async fn until_said(fleet: &Fleet, worker: &str, what: &str, task_id: &str) {
    let line = format!("{what} {task_id}");
    until(&format!("{worker} said: {line}"), || async {
        fleet.log(worker).lines().any(|said| said == line).then_some(())
    })
    .await;
}
