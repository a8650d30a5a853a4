//! Ended tasks are kept for a time.

use std::{sync::Arc, time::Duration};

use taskfleet_core::{machine::Event, retry::Jitter};
use taskfleet_proto::v1::{GetTaskRequest, RetryTaskRequest, WatchTasksRequest};
use taskfleet_store::{Change, Store};
use taskfleet_supervisor::Settings;
use tonic::Code;

use crate::support::{History, Rig, bounded, memory, now, prompt};

async fn until_gone(rig: &Rig, task_id: &str) {
    let request = GetTaskRequest { task_id: task_id.to_owned() };
    bounded(async {
        while rig.tasks().get_task(request.clone()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_ended_before_the_retention_goes_and_everything_else_stays() {
    let store = memory();
    let old = History::running(&store, 1, History::spec("old")).await;
    let old = old.then(|_| Event::Cancel).await.id.to_string();
    let kept = History::running(&store, 2, History::spec("kept")).await;
    let mut kept = kept.then(History::released).await;
    for _ in 0..3 {
        kept = kept.claimed_again().await.then(History::released).await;
    }
    let kept = kept.claimed_again().await.then(History::completed("kept")).await;
    let kept = kept.id.to_string();
    // The first ended an hour ago, the second twenty minutes ago.
    let settings = Settings { retention_seconds: 45 * 60, ..Settings::default() };
    let rig = Rig::start_with(store, settings).await;
    let open = rig.submit(prompt("open")).await;
    until_gone(&rig, &old).await;
    assert_eq!(rig.get(&kept).await.result.unwrap().text, "kept");
    rig.get(&open).await;
    let request = RetryTaskRequest { task_id: old, idempotency_key: String::new() };
    assert_eq!(rig.tasks().retry_task(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_cursor_from_before_the_pruning_goes_on_with_what_is_kept() {
    let store = memory();
    let mut old = String::new();
    for n in 0..3 {
        let task = History::running(&store, n, History::spec("old")).await;
        let task = task.then(|_| Event::Cancel).await;
        old = task.id.to_string();
    }
    let settings = Settings { retention_seconds: 45 * 60, ..Settings::default() };
    let rig = Rig::start_with(store, settings).await;
    until_gone(&rig, &old).await;
    let id = rig.submit(prompt("new")).await;
    let cancel =
        taskfleet_proto::v1::CancelTaskRequest { task_id: id.clone(), ..Default::default() };
    rig.tasks().cancel_task(cancel).await.unwrap();
    let from_the_start = WatchTasksRequest { cursor: "o1:0".into(), ..Default::default() };
    let mut feed = rig.tasks().watch_tasks(from_the_start).await.unwrap().into_inner();
    assert_eq!(bounded(feed.message()).await.unwrap().unwrap().task, None);
    let next = bounded(feed.message()).await.unwrap().unwrap();
    assert_eq!(next.task.unwrap().id, id);
}

async fn ended_in_a_year(store: &Arc<dyn Store>, count: u32) {
    let mut changes = Vec::new();
    for number in 0..count {
        let task = History::running(store, number, History::spec("future")).await.id;
        changes.push(Change { task, event: Event::Cancel, jitter: Jitter::new(0.0) });
    }
    let in_a_year = now() + Duration::from_secs(365 * 24 * 3_600);
    store.apply(changes, in_a_year).await.unwrap();
}

#[tokio::test]
async fn outcomes_of_a_clock_that_was_in_the_future_keep_no_others_from_being_pruned() {
    let store = memory();
    ended_in_a_year(&store, 1_200).await;
    let old = History::running(&store, 9_999, History::spec("old")).await;
    let old = old.then(|_| Event::Cancel).await.id.to_string();
    let settings = Settings { retention_seconds: 45 * 60, ..Settings::default() };
    let rig = Rig::start_with(store, settings).await;
    until_gone(&rig, &old).await;
}
