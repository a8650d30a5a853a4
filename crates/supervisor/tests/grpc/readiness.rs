//! Ready means that work gets on; and what becomes of tasks while it does not.

use std::{sync::Arc, time::Duration};

use taskfleet_proto::v1::{TaskSpec, TaskState};
use taskfleet_supervisor::Settings;
use tokio::sync::Semaphore;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Fault, Gate, ListedWorker, Rig, bounded, memory, prompt};

async fn health(rig: &Rig, service: &str) -> ServingStatus {
    let mut client: HealthClient<Channel> = HealthClient::new(rig.channel());
    let request = HealthCheckRequest { service: service.to_owned() };
    client.check(request).await.unwrap().into_inner().status()
}

async fn until(rig: &Rig, status: ServingStatus) {
    bounded(async {
        while health(rig, "").await != status {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(health(rig, "live").await, ServingStatus::Serving, "nobody kills it for that");
}

fn keyed(key: &str) -> TaskSpec {
    TaskSpec { idempotency_key: key.to_owned(), ..prompt("hello") }
}

#[tokio::test]
async fn with_a_store_that_hangs_it_is_not_ready_and_whoever_submits_is_told_to_ask_again() {
    let gate = Gate::before(memory());
    let rig = Rig::start_with(gate.clone(), Settings::default()).await;
    until(&rig, ServingStatus::Serving).await;
    gate.set(Fault::WritesHang);
    let waiting = bounded(rig.tasks().submit_task(keyed("a"))).await.unwrap_err();
    assert_eq!(waiting.code(), Code::Unavailable);
    assert!(waiting.message().contains("same idempotency key"), "{}", waiting.message());
    until(&rig, ServingStatus::NotServing).await;
    let refused = bounded(rig.tasks().submit_task(keyed("b"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);

    gate.set(Fault::None);
    until(&rig, ServingStatus::Serving).await;
    let first = rig.submit(keyed("a")).await;
    assert_eq!(rig.submit(keyed("a")).await, first);
    assert_eq!(rig.store.counts().queued, 1, "the one that was given up was committed, once");
}

#[tokio::test]
async fn a_dispatcher_that_stands_still_is_no_reason_to_refuse_tasks() {
    let gate = Gate::before(memory());
    gate.set(Fault::QueueHangs);
    let rig = Rig::start_with(gate.clone(), Settings::default()).await;
    until(&rig, ServingStatus::NotServing).await;
    rig.submit(prompt("hello")).await;
    gate.set(Fault::None);
    until(&rig, ServingStatus::Serving).await;
}

#[tokio::test]
async fn what_runs_while_the_disk_is_full_is_settled_when_there_is_room_again() {
    let answers = Arc::new(Semaphore::new(0));
    let worker = ListedWorker::start(&answers).await;
    let gate = Gate::before(memory());
    let rig = Rig::start_with(gate.clone(), worker.listed()).await;
    let id = rig.submit(prompt("hello")).await;
    bounded(async {
        while worker.calls() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    gate.set(Fault::Full);
    answers.add_permits(1);
    until(&rig, ServingStatus::NotServing).await;
    let refused = bounded(rig.tasks().submit_task(prompt("more"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("full"), "{}", refused.message());
    assert_eq!(rig.get(&id).await.state(), TaskState::Running);

    gate.set(Fault::None);
    let completed = bounded(async {
        loop {
            let task = rig.get(&id).await;
            if task.state() == TaskState::Completed {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(completed.await.result.unwrap().text, "answered");
    assert_eq!(worker.calls(), 1);
    until(&rig, ServingStatus::Serving).await;
}

#[tokio::test]
async fn a_supervisor_with_nothing_to_do_stays_ready() {
    let rig = Rig::start().await;
    until(&rig, ServingStatus::Serving).await;
    let mut client: HealthClient<Channel> = HealthClient::new(rig.channel());
    let watching = client.watch(HealthCheckRequest::default()).await.unwrap();
    let mut changes = watching.into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    // Longer than it takes to find a part that stands still.
    let change = tokio::time::timeout(Duration::from_secs(5), changes.message()).await;
    assert!(change.is_err(), "{change:?}");
}
