//! A client that knows the published messages only, compiled from a copy of its own.

use published::{
    client,
    wire::{TaskResponse, WorkerStatus},
};
use tonic::{Code, Status, Streaming};

use crate::support::{Rig, bounded};

async fn call(rig: &Rig, task_id: &str, content: &str) -> Result<Streaming<TaskResponse>, Status> {
    bounded(client::call(&rig.address.to_string(), task_id, content)).await
}

async fn all(rig: &Rig, task_id: &str, content: &str) -> Vec<TaskResponse> {
    let mut stream = call(rig, task_id, content).await.unwrap();
    let mut messages = Vec::new();
    while let Some(message) = bounded(stream.message()).await.unwrap() {
        messages.push(message);
    }
    messages
}

#[tokio::test]
async fn it_reads_progress_and_then_the_whole_result() {
    let rig = Rig::start().await;
    let messages = all(&rig, "mine", "hello").await;
    let (last, progress) = messages.split_last().unwrap();
    assert!(progress.iter().all(|m| m.status() == WorkerStatus::Processing));
    assert!(progress.iter().all(|m| m.result.is_empty()), "a result only at the end");
    assert!(messages.iter().all(|m| m.task_id == "mine" && m.error.is_empty()));
    assert_eq!(last.status(), WorkerStatus::Completed);
    assert!(last.result.starts_with(&format!("digest:{} ", openai_sim::digest("hello"))));
}

#[tokio::test]
async fn it_reads_what_went_wrong() {
    let rig = Rig::start().await;
    let messages = all(&rig, "mine", "[sim:500]").await;
    let last = messages.last().unwrap();
    assert_eq!(last.status(), WorkerStatus::Failed);
    assert!(!last.error.is_empty() && last.result.is_empty());
}

#[tokio::test]
async fn every_call_runs_also_at_once_and_with_the_same_task_id() {
    let rig = Rig::start().await;
    let (one, two) = tokio::join!(all(&rig, "same", "[sim:ok]"), all(&rig, "same", "[sim:ok]"));
    assert_eq!(one.last().unwrap().result, two.last().unwrap().result);
    all(&rig, "same", "[sim:ok]").await;
    assert_eq!(rig.calls().await["total"], 3);
}

#[tokio::test]
async fn dropping_the_stream_ends_the_call_to_the_api_and_nothing_is_held() {
    let rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    let mut stream = call(&rig, "mine", "[sim:hang]").await.unwrap();
    bounded(stream.message()).await.unwrap().unwrap();
    rig.until_open(1, 1).await;
    assert!(supervisor.adopt().await.unwrap().held.is_empty());
    drop(stream);
    rig.until_open(1, 0).await;
    assert_eq!(rig.calls().await["closed_early"], 1);
    all(&rig, "mine", "hello").await;
    assert!(supervisor.adopt().await.unwrap().held.is_empty(), "nobody would ever settle it");
}

#[tokio::test]
async fn an_empty_prompt_is_refused_in_words() {
    let rig = Rig::start().await;
    let refused = call(&rig, "mine", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("content"), "{}", refused.message());
}
