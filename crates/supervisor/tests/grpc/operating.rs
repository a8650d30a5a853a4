//! What operators ask: statistics and copies of the store.

use std::{path::Path, sync::Arc};

use taskfleet_core::{failure::FailureKind, machine::Event};
use taskfleet_proto::v1::{
    BackupStoreRequest, GetResultRequest, GetStatsRequest, GetStatsResponse, Task, TaskState,
};
use taskfleet_store::{SqliteOptions, SqliteStore, Store};
use taskfleet_supervisor::Settings;
use tonic::{Code, Status};

use crate::support::{History, Rig, fields, memory, now, prompt};

fn file(path: &Path) -> Arc<dyn Store> {
    let options = SqliteOptions { path: path.to_owned(), now: now(), random: [1; 16] };
    Arc::new(SqliteStore::open(options).unwrap())
}

async fn stats(rig: &Rig) -> GetStatsResponse {
    rig.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner()
}

async fn back_up(rig: &Rig, path: &str) -> Result<u64, Status> {
    let request = BackupStoreRequest { path: path.to_owned() };
    Ok(rig.fleet().backup_store(request).await?.into_inner().size_bytes)
}

#[tokio::test]
async fn statistics_tell_what_waits_and_what_has_happened_to_all_tasks() {
    let store = memory();
    let task = History::running(&store, 1, History::spec("a")).await;
    let task = task.then(History::failed(FailureKind::ApiError, 500)).await.claimed_again().await;
    let task =
        task.then(History::failed(FailureKind::RateLimited, 429)).await.claimed_again().await;
    let task = task.then(|lease| Event::Lost { lease }).await.claimed_again().await;
    let task = task.then(History::released).await.claimed_again().await;
    task.then(History::completed("well")).await;
    let rig = Rig::start_with(store, Settings::default()).await;
    let said = stats(&rig).await;
    assert_eq!((said.completed, said.queued, said.oldest_queued_age), (1, 0, None));
    let happened = (said.attempts_failed, said.throttles, said.worker_losses, said.requeues);
    assert_eq!(happened, (1, 1, 1, 1));

    rig.submit(prompt("12345")).await;
    let said = stats(&rig).await;
    assert_eq!((said.queued, said.queued_bytes), (1, 5));
    let age = said.oldest_queued_age.unwrap();
    assert!((0..20).contains(&age.seconds), "{age:?}");
}

async fn list(rig: &Rig) -> Vec<Task> {
    let answer = rig.tasks().list_tasks(taskfleet_proto::v1::ListTasksRequest::default()).await;
    answer.unwrap().into_inner().tasks
}

#[tokio::test]
async fn a_supervisor_that_is_started_with_a_copy_has_every_task_and_result() {
    let directory = tempfile::tempdir().unwrap();
    let store = file(&directory.path().join("tasks.db"));
    let done = History::running(&store, 1, History::spec("a")).await;
    let done = done.then(History::completed("the answer")).await.id.to_string();
    let rig = Rig::start_with(store, Settings::default()).await;
    let waits = rig.submit(prompt("waits")).await;
    let copy = directory.path().join("copy.db");
    back_up(&rig, copy.to_str().unwrap()).await.unwrap();
    let epoch = stats(&rig).await.epoch;
    let later = rig.submit(prompt("came after the copy")).await;

    let restored = Rig::start_with(file(&copy), Settings::default()).await;
    let ids: Vec<String> = list(&restored).await.into_iter().map(|task| task.id).collect();
    assert_eq!(ids, [waits, done.clone()]);
    assert!(!ids.contains(&later));
    assert_eq!(restored.get(&done).await, rig.get(&done).await);
    let request = GetResultRequest { task_id: done, offset: 0 };
    let mut result = restored.tasks().get_result(request).await.unwrap().into_inner();
    assert_eq!(result.message().await.unwrap().unwrap().chunk, b"the answer");
    assert!(stats(&restored).await.epoch > epoch, "no lease is given twice");
    assert_eq!(restored.get(&ids[0]).await.state(), TaskState::Queued);
}

#[tokio::test]
async fn a_copy_that_cannot_be_written_is_refused_by_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::start_with(file(&directory.path().join("tasks.db")), Settings::default()).await;
    let taken = directory.path().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    let below = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let refusals = [
        (String::new(), Code::InvalidArgument),
        ("copy.db".to_owned(), Code::InvalidArgument),
        ("/tmp/copy\0.db".to_owned(), Code::InvalidArgument),
        (below("copy/"), Code::InvalidArgument),
        (below("taken"), Code::AlreadyExists),
        (below("nowhere/copy.db"), Code::FailedPrecondition),
        (below("taken/copy.db"), Code::FailedPrecondition),
    ];
    for (path, code) in refusals {
        let refused = back_up(&rig, &path).await.unwrap_err();
        assert_eq!((refused.code(), fields(&refused)), (code, vec!["path".into()]), "{path:?}");
    }
    let in_memory = Rig::start().await;
    let refused = back_up(&in_memory, &below("copy.db")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
