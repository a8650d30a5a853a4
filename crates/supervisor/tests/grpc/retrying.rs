//! RetryTask.

use std::collections::HashMap;

use taskfleet_core::{failure::FailureKind, machine::Event};
use taskfleet_proto::v1::{
    CancelTaskRequest, HttpRequest, RetryPolicy, RetryTaskRequest, RetryTaskResponse, TaskSpec,
    TaskState,
};
use taskfleet_supervisor::Settings;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{History, Rig, fields, memory, prompt};

async fn retry(rig: &Rig, task_id: &str, key: &str) -> Result<RetryTaskResponse, Status> {
    let request = RetryTaskRequest { task_id: task_id.to_owned(), idempotency_key: key.to_owned() };
    rig.tasks().retry_task(request).await.map(tonic::Response::into_inner)
}

async fn cancelled(rig: &Rig, spec: TaskSpec) -> String {
    let id = rig.submit(spec).await;
    let request = CancelTaskRequest { task_id: id.clone(), ..Default::default() };
    assert!(rig.tasks().cancel_task(request).await.unwrap().into_inner().cancelled);
    id
}

fn seconds(duration: Option<prost_types::Timestamp>) -> i64 {
    duration.unwrap().seconds
}

#[tokio::test]
async fn a_retry_asks_for_the_same_again_as_a_new_task() {
    let rig = Rig::start().await;
    let labels = HashMap::from([("team".to_owned(), "blue".to_owned())]);
    let spec = TaskSpec {
        request: Some(HttpRequest { endpoint: "/v1/embeddings".into(), body: "{}".into() }),
        idempotency_key: "key".into(),
        client_ref: "mine".into(),
        priority: 7,
        tenant: "tenant".into(),
        group: "group".into(),
        parent_id: "0190b6f0-7f3c-7c3a-9d5e-2f6a1c0b4e21".into(),
        labels,
        deadline: Some(prost_types::Duration { seconds: 1_000, nanos: 0 }),
        retry: Some(RetryPolicy { max_attempts: Some(7), ..RetryPolicy::default() }),
        ..TaskSpec::default()
    };
    let ended = cancelled(&rig, spec).await;
    let again = retry(&rig, &ended, "").await.unwrap();
    assert_eq!((again.state(), again.existing), (TaskState::Queued, false));
    let (old, new) = (rig.get(&ended).await, rig.get(&again.task_id).await);
    assert_ne!(new.id, old.id);
    assert_eq!(new.retry_of, old.id);
    assert_eq!((new.client_ref.as_str(), old.client_ref.as_str()), ("", "mine"));
    assert_eq!((&new.endpoint, new.priority), (&old.endpoint, old.priority));
    assert_eq!((&new.tenant, &new.group, &new.labels), (&old.tenant, &old.group, &old.labels));
    assert_eq!(new.parent_id, old.parent_id);
    assert_eq!(seconds(new.deadline) - seconds(new.created_at), 1_000, "the time limit anew");
    assert_eq!(old.state(), TaskState::Cancelled, "what has ended stays as it is");
    let id = |text: &str| text.parse().unwrap();
    let specs = rig.store.specs(vec![id(&old.id), id(&new.id)]).await.unwrap();
    assert!(specs[0].1.work == specs[1].1.work && specs[0].1.retry == specs[1].1.retry);
}

#[tokio::test]
async fn a_task_can_be_retried_however_it_ended() {
    let store = memory();
    let completed = History::running(&store, 1, History::spec("a")).await;
    let completed = completed.then(History::completed("well")).await.id;
    let failed = History::running(&store, 2, History::spec("b")).await;
    let failed = failed.then(History::failed(FailureKind::InvalidRequest, 400)).await.id;
    let cancelled = History::running(&store, 3, History::spec("c")).await;
    let cancelled = cancelled.then(|_| Event::Cancel).await.id;
    let rig = Rig::start_with(store, Settings::default()).await;
    for id in [completed, failed, cancelled] {
        let again = retry(&rig, &id.to_string(), "").await.unwrap();
        assert_eq!(rig.get(&again.task_id).await.retry_of, id.to_string());
    }
}

#[tokio::test]
async fn one_idempotency_key_is_one_retry() {
    let rig = Rig::start().await;
    let first = cancelled(&rig, prompt("same words")).await;
    let second = cancelled(&rig, prompt("same words")).await;
    let made = retry(&rig, &first, "key").await.unwrap();
    let again = retry(&rig, &first, "key").await.unwrap();
    assert_eq!((&again.task_id, again.existing), (&made.task_id, true));
    assert_ne!(retry(&rig, &first, "other key").await.unwrap().task_id, made.task_id);

    let another = retry(&rig, &second, "key").await.unwrap_err();
    let submission = TaskSpec { idempotency_key: "key".into(), ..prompt("same words") };
    let submitted = rig.tasks().submit_task(submission).await.unwrap_err();
    for refused in [another, submitted] {
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert_eq!(fields(&refused), ["idempotency_key"]);
    }
}

#[tokio::test]
async fn only_what_has_ended_can_be_retried() {
    let rig = Rig::start().await;
    let open = rig.submit(prompt("waits")).await;
    let refused = retry(&rig, &open, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("task_id: the task has not ended"));
    let reason = refused.get_error_details().error_info().unwrap().reason.clone();
    assert_eq!(reason, "TASK_NOT_ENDED");

    let unknown = "0190b6f0-7f3c-7c3a-9d5e-2f6a1c0b4e21";
    assert_eq!(retry(&rig, unknown, "").await.unwrap_err().code(), Code::NotFound);
    for (id, key, field) in [("seven", "", "task_id"), ("", "", "task_id")] {
        let refused = retry(&rig, id, key).await.unwrap_err();
        assert_eq!((refused.code(), fields(&refused)), (Code::InvalidArgument, vec![field.into()]));
    }
    let refused = retry(&rig, &open, &"k".repeat(257)).await.unwrap_err();
    assert_eq!(fields(&refused), ["idempotency_key"]);
}

#[tokio::test]
async fn a_full_queue_takes_no_retry_either_and_says_when_to_ask_again() {
    let settings = Settings { max_queued: 1, ..Settings::default() };
    let rig = Rig::start_with(memory(), settings).await;
    let ended = cancelled(&rig, prompt("first")).await;
    rig.submit(prompt("fills the queue")).await;
    let refused = retry(&rig, &ended, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.get_error_details().retry_info().unwrap().retry_delay.is_some());
}

#[tokio::test]
async fn a_retry_that_was_made_is_answered_though_the_queue_is_full_and_its_task_pruned() {
    let settings = Settings { max_queued: 1, ..Settings::default() };
    let rig = Rig::start_with(memory(), settings).await;
    let ended = cancelled(&rig, prompt("first")).await;
    let made = retry(&rig, &ended, "key").await.unwrap();
    let again = retry(&rig, &ended, "key").await.unwrap();
    assert_eq!((&again.task_id, again.existing), (&made.task_id, true), "the queue is full");
    assert_eq!(rig.store.remove(vec![ended.parse().unwrap()], 1_000).await, Ok(1));
    assert_eq!(retry(&rig, &ended, "").await.unwrap_err().code(), Code::NotFound);
    let again = retry(&rig, &ended, "key").await.unwrap();
    assert_eq!((again.task_id, again.existing), (made.task_id, true), "the task is pruned");
}
