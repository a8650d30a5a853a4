//! One task by itself: when it is answered, called for and seen to have ended.

use std::time::Duration;

use taskfleet_proto::v1::{Task, TaskSpec, task_service_client::TaskServiceClient};
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::{arrival::Relay, throughput::follow};

/// From the call of `SubmitTask` …
pub(crate) struct Single {
    /// … to its answer,
    pub(crate) answered: Duration,
    /// … to the request's arrival at the API,
    pub(crate) called: Duration,
    /// … to the outcome as the client sees it.
    pub(crate) seen: Duration,
}

/// Submits this task, whose group is its own and whose request is the only one with the relay's
/// mark, and waits for its outcome.
pub(crate) async fn submit(
    client: &mut TaskServiceClient<Channel>,
    relay: &Relay,
    spec: TaskSpec,
) -> Single {
    let mut feed = follow(client, &spec.group).await;
    let start = Instant::now();
    client.submit_task(spec).await.unwrap();
    let answered = start.elapsed();
    let task: Task = feed.message().await.unwrap().unwrap().task.unwrap();
    let seen = start.elapsed();
    assert!(task.result.is_some(), "a task did not complete: {:?}", task.state());
    assert_eq!(task.counters.unwrap_or_default().requeues, 0);
    let called = relay.last().checked_duration_since(start).expect("the relay saw its request");
    Single { answered, called, seen }
}
