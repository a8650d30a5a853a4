//! The promises that set this system apart, each with real processes and real signals.

use std::collections::BTreeSet;

use futures::future::join_all;
use taskfleet_proto::v1::{
    CancelTaskRequest, SubmitTasksRequest, TaskSpec, TaskState, WatchTasksRequest,
};
use tokio::sync::watch;

use crate::{
    fleet::{Fleet, until},
    watching::{Watcher, until_text},
};

fn spec(content: String) -> TaskSpec {
    TaskSpec { content, ..TaskSpec::default() }
}

fn digest(content: &str) -> String {
    format!("digest:{}", openai_sim::digest(content))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_supervisor_loses_no_task_and_repeats_no_call() {
    let mut fleet = Fleet::start(3).await;
    let prompts: Vec<String> =
        (0..50).map(|n| format!("prompt {n} [sim:ok,deltas=40,delay=100]")).collect();
    let tasks = prompts.iter().cloned().map(spec).collect();
    let submitted = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let ids: Vec<String> =
        submitted.into_inner().tasks.into_iter().map(|task| task.task_id).collect();

    let (watchers, grown): (Vec<_>, Vec<_>) = ids
        .iter()
        .map(|id| {
            let (bytes, seen) = watch::channel(0);
            let client = fleet.tasks();
            (Watcher::new(id).follow(move || client.clone(), bytes), seen)
        })
        .unzip();
    let killing = async {
        join_all(grown.into_iter().map(|seen| until_text(seen, 30))).await;
        assert_eq!(fleet.calls().await.open, 50, "all streams run");
        fleet.supervisor().kill();
        fleet.supervisor().restart().await;
    };
    let (seen, ()) = tokio::join!(join_all(watchers), killing);

    for (seen, prompt) in seen.into_iter().zip(&prompts) {
        let result = seen.task.result.clone().unwrap_or_default();
        assert_eq!(seen.task.state(), TaskState::Completed, "{}", result.error);
        assert!(result.text.starts_with(&digest(prompt)), "another task's result");
        assert_eq!(seen.text, result.text, "a watcher sees the whole text once");
        assert_eq!(seen.resets, 0, "the text went on under its lease");
        assert_eq!(seen.task.attempts.len(), 1);
    }
    let calls = fleet.calls().await;
    assert_eq!((calls.total, calls.closed_early), (50, 0), "no call was repeated or cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_task_survives_a_kill_right_after_the_answer() {
    let mut fleet = Fleet::start(1).await;
    let mut ids = Vec::new();
    for round in 0..5 {
        ids.push(fleet.submit(&format!("round {round}")).await);
        fleet.supervisor().kill();
        fleet.supervisor().restart().await;
    }
    for id in &ids {
        assert_eq!(fleet.ended(id).await.state(), TaskState::Completed);
    }
    assert_eq!(fleet.calls().await.total, 5, "no call was repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_idempotency_key_is_one_task_however_often_it_is_submitted() {
    let fleet = Fleet::start(1).await;
    let submissions = (0..100).map(|_| {
        let mut client = fleet.tasks();
        let spec = TaskSpec { idempotency_key: "same".into(), ..spec("hello".into()) };
        async move { client.submit_task(spec).await.unwrap().into_inner() }
    });
    let answers = join_all(submissions).await;
    let ids: BTreeSet<&str> = answers.iter().map(|answer| answer.task_id.as_str()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.existing).count(), 1);
    fleet.ended(&answers[0].task_id).await;
    assert_eq!(fleet.calls().await.total, 1);

    let other = TaskSpec { idempotency_key: "same".into(), ..spec("another prompt".into()) };
    let refused = fleet.tasks().submit_task(other).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::AlreadyExists);
    assert!(refused.message().contains("idempotency_key"), "{}", refused.message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_closes_the_call_to_the_api_within_a_second() {
    let fleet = Fleet::start(1).await;
    let id = fleet.submit("hello [sim:ok,deltas=600,delay=100]").await;
    until("the model was called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    let request = CancelTaskRequest { task_id: id.clone(), ..Default::default() };
    let cancelled = fleet.tasks().cancel_task(request.clone()).await.unwrap().into_inner();
    assert!(cancelled.cancelled);
    assert_eq!(cancelled.state(), TaskState::Cancelled);
    let closed = until("the connection to the API is closed", || async {
        (fleet.calls().await.closed_early == 1).then_some(())
    });
    tokio::time::timeout(std::time::Duration::from_secs(1), closed).await.expect("in a second");

    let again = fleet.tasks().cancel_task(request).await.unwrap().into_inner();
    assert!(!again.cancelled, "what has ended is left as it is");
    let task = fleet.get(&id).await;
    assert_eq!(task.state(), TaskState::Cancelled);
    assert!(task.attempts[0].possibly_paid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_brings_each_outcome_once_also_over_a_restart() {
    let mut fleet = Fleet::start(2).await;
    let tasks = (0..30)
        .map(|n| TaskSpec {
            group: "batch".into(),
            ..spec(format!("task {n} [sim:ok,latency=300]"))
        })
        .collect();
    let submitted = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let submitted = submitted.into_inner();
    let mut cursor = submitted.cursor.clone();
    let mut ended = Vec::new();
    while ended.len() < 30 {
        let request = WatchTasksRequest {
            group: "batch".into(),
            cursor: cursor.clone(),
            ..WatchTasksRequest::default()
        };
        let Ok(feed) = fleet.tasks().watch_tasks(request).await else {
            continue;
        };
        let mut feed = feed.into_inner();
        while let Ok(Some(event)) = feed.message().await {
            cursor = event.cursor;
            ended.extend(event.task.map(|task| task.id));
            if ended.len() == 10 {
                fleet.supervisor().kill();
                fleet.supervisor().restart().await;
            }
            if ended.len() == 30 {
                break;
            }
        }
    }
    ended.sort();
    let mut expected: Vec<String> = submitted.tasks.into_iter().map(|task| task.task_id).collect();
    expected.sort();
    assert_eq!(ended, expected);
    assert_eq!(fleet.calls().await.total, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_a_waiting_task_and_a_running_one() {
    let fleet =
        crate::fleet::Plan::new(1).worker_variable("TASKFLEET_WORKER__SLOTS", "1").start().await;
    // The waiting one expires first: it must not start in the slot of the other.
    let with_deadline = |content: &str, seconds| TaskSpec {
        deadline: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..spec(content.to_owned())
    };
    let mut ids = Vec::new();
    for (content, seconds) in [("running [sim:hang]", 3), ("waiting", 1)] {
        let answer = fleet.tasks().submit_task(with_deadline(content, seconds)).await.unwrap();
        ids.push(answer.into_inner().task_id);
    }
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Failed);
        let kind = task.result.unwrap().kind();
        assert_eq!(kind, taskfleet_proto::worker::FailureKind::DeadlineExceeded);
    }
    until("the running call was closed", || async {
        (fleet.calls().await.open == 0).then_some(())
    })
    .await;
    assert_eq!(fleet.calls().await.of_task(&ids[1]), 0);
}
