//! Opening, and opening again.

use std::{fs, time::Duration};

use rusqlite::Connection;
use taskfleet_core::{
    Epoch, Lease, TaskId, Timestamp,
    failure::{Delivery, FailureKind},
    machine::Event,
    outcome::{Call, End, Failure, Outcome, Payload},
    retry::Jitter,
};
use taskfleet_store::{Change, NewTask, OutcomeFilter, SqliteStore, Store, StoreError, TaskDetail};

use crate::support::{at, holder, open, open_at, task};

async fn complete(store: &SqliteStore, id: TaskId, lease: Lease, now: Timestamp) {
    let end = End::Completed(Payload::Text("done".to_owned()));
    let outcome = Outcome { end, call: Call::new(Delivery::Answered) };
    let event = Event::Ended { lease, outcome };
    let change = Change { task: id, event, jitter: Jitter::new(0.0) };
    store.apply(vec![change], now).await.unwrap().remove(0).unwrap();
}

async fn details(store: &SqliteStore, ids: &[TaskId]) -> Vec<TaskDetail> {
    let mut details = Vec::new();
    for id in ids {
        details.push(store.task(*id, usize::MAX).await.unwrap().unwrap());
    }
    details
}

#[tokio::test]
async fn a_store_that_is_opened_again_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let store = open_at(&path, 1_000, 1).unwrap();
    let claimed = |n| NewTask { claim: Some(holder()), ..task(n) };
    let tasks = vec![task(1), claimed(2), claimed(3)];
    let ids = tasks.iter().map(|task| task.id).collect::<Vec<_>>();
    store.submit(tasks, at(1_000)).await.unwrap();
    let running = store.running().await.unwrap();
    complete(&store, ids[2], running[1].lease, at(1_001)).await;
    let (before, counts, identity) =
        (details(&store, &ids).await, store.counts(), store.identity());
    drop(store);

    let store = open_at(&path, 2_000, 9).unwrap();
    assert_eq!(details(&store, &ids).await, before);
    assert_eq!((store.counts(), store.last_outcome()), (counts, 1));
    assert_eq!(store.identity().store, identity.store);
    assert_eq!((identity.epoch, store.identity().epoch), (Epoch::new(1_000), Epoch::new(2_000)));
    complete(&store, ids[1], running[0].lease, at(2_001)).await;
    let page = store.outcomes(OutcomeFilter::default(), 1, 9, 0).await.unwrap();
    assert_eq!(page.outcomes[0].0, 2);
}

#[test]
fn the_epoch_rises_whatever_the_clock_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let epochs = [1_000, 5, 1_001, 5_000].map(|clock| {
        let store = open_at(&path, clock, 1).unwrap();
        store.identity().epoch.number()
    });
    assert_eq!(epochs, [1_000, 1_001, 1_002, 5_000]);
}

#[tokio::test]
async fn a_backoff_lasts_no_longer_than_its_maximum_when_the_clock_was_set_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let store = open_at(&path, 10_000, 1).unwrap();
    let claimed = |n| NewTask { claim: Some(holder()), ..task(n) };
    let tasks = vec![claimed(1), claimed(2)];
    let ids = [tasks[0].id, tasks[1].id];
    store.submit(tasks, at(10_000)).await.unwrap();
    let leases: Vec<Lease> =
        store.running().await.unwrap().into_iter().map(|row| row.lease).collect();
    let asked = Failure {
        retry_after: Some(Duration::from_secs(400)),
        ..Failure::new(FailureKind::RateLimited, "")
    };
    let failures = [Failure::new(FailureKind::ApiError, ""), asked];
    for ((id, lease), failure) in ids.into_iter().zip(leases).zip(failures) {
        let outcome = Outcome { end: End::Failed(failure), call: Call::new(Delivery::Answered) };
        let event = Event::Ended { lease, outcome };
        let change = Change { task: id, event, jitter: Jitter::new(1.0) };
        store.apply(vec![change], at(10_000)).await.unwrap().remove(0).unwrap();
    }
    let waits = async |store: &SqliteStore, now: u64| {
        let details = details(store, &ids).await;
        let wait = |detail: &TaskDetail| detail.record.not_before.unwrap().since(at(now)).as_secs();
        [wait(&details[0]), wait(&details[1])]
    };
    assert_eq!(waits(&store, 10_000).await, [1, 400]);
    drop(store);
    let store = open_at(&path, 6_400, 1).unwrap();
    assert_eq!(waits(&store, 6_400).await, [60, 600], "an hour back");
    drop(store);
    let store = open_at(&path, 6_410, 1).unwrap();
    assert_eq!(waits(&store, 6_410).await, [50, 590], "by a clock that goes on they end in time");
}

#[test]
fn a_second_supervisor_is_kept_out_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let first = open(&path).unwrap();
    assert_eq!(open(&path).unwrap_err(), StoreError::Locked(path.clone()));
    drop(first);
    open(&path).unwrap();
}

#[tokio::test]
async fn what_was_sent_is_kept_though_nobody_waits_for_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let store = open(&path).unwrap();
    let mut submission = store.submit(vec![task(1)], at(1));
    let _ = futures::FutureExt::now_or_never(&mut submission);
    drop(submission);
    drop(store);
    assert_eq!(open(&path).unwrap().counts().queued, 1);
}

#[test]
fn missing_directories_are_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/tasks.db");
    drop(open(&path).unwrap());
    assert!(path.is_file());
}

#[test]
fn other_peoples_files_are_refused_and_left_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    fs::write(&text, "not a database, but long enough to be taken for one".repeat(99)).unwrap();
    let database = directory.path().join("database");
    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("CREATE TABLE mine (number)").unwrap();
    drop(connection);
    let marked = directory.path().join("marked");
    Connection::open(&marked).unwrap().pragma_update(None, "application_id", 77).unwrap();
    for path in [text, database, marked] {
        let before = fs::read(&path).unwrap();
        assert_eq!(open(&path).unwrap_err(), StoreError::NotAStore(path.clone()));
        assert!(fs::read(&path).unwrap() == before);
    }
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let newer = StoreError::Newer { path: path.clone(), found: 99, known: 4 };
    assert_eq!(open(&path).unwrap_err(), newer);
}

#[test]
fn an_older_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    let older = StoreError::Older { path: path.clone(), found: 1, known: 4 };
    assert_eq!(open(&path).unwrap_err(), older);
}

#[test]
fn a_damaged_store_is_said_to_be_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    drop(open(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    // All but the header, which says whose file it is.
    bytes[100..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    assert_eq!(open(&path).unwrap_err(), StoreError::Damaged(path));
}

#[test]
fn what_cannot_be_opened_is_named_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "text").unwrap();
    let below_a_file = file.join("tasks.db");
    for path in [directory.path(), &below_a_file] {
        let error = open(path).unwrap_err();
        assert!(matches!(&error, StoreError::Unusable { .. }), "{error:?}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn errors_quote_nothing_that_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("tasks.db")).unwrap();
    store.submit(vec![task(1)], at(1)).await.unwrap();
    let same_id = NewTask { id: task(1).id, ..task(2) };
    let error = store.submit(vec![same_id], at(1)).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    store.submit(vec![task(3)], at(1)).await.unwrap();
    assert_eq!(store.counts().queued, 2);
}

#[test]
fn another_name_of_a_store_is_no_other_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("tasks.db");
    let store = open(&path).unwrap();
    let link = path.with_file_name("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(open(&link).unwrap_err(), StoreError::Locked(path.clone()));
    drop(store);
    drop(open(&link).unwrap());

    let second = path.with_file_name("second.db");
    fs::hard_link(&path, &second).unwrap();
    let refused = open(&second).unwrap_err().to_string();
    assert!(refused.contains("several names"), "{refused}");
    fs::remove_file(second).unwrap();
    open(&path).unwrap();
}

#[test]
fn a_log_without_its_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let log = path.with_file_name("tasks.db-wal");
    fs::write(&log, "tasks").unwrap();
    for make_it_empty in [false, true] {
        if make_it_empty {
            fs::write(&path, "").unwrap();
        }
        let refused = open(&path).unwrap_err().to_string();
        assert!(refused.contains("put the file back"), "{refused}");
    }
    assert_eq!(fs::read(&log).unwrap(), b"tasks");
}

#[tokio::test]
async fn a_store_whose_files_are_taken_away_takes_nothing_more() {
    for taken in ["tasks.db", "tasks.db-wal", "tasks.db.lock"] {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().canonicalize().unwrap();
        let store = open(&directory.join("tasks.db")).unwrap();
        store.submit(vec![task(1)], at(1)).await.unwrap();
        assert_eq!(store.check().await, Ok(()));
        fs::rename(directory.join(taken), directory.join("elsewhere")).unwrap();
        let gone = StoreError::Gone(directory.join(taken));
        assert_eq!(store.check().await, Err(gone.clone()));
        assert_eq!(store.broken().await, gone);
        assert_eq!(store.check().await, Err(gone));
        assert!(store.submit(vec![task(2)], at(1)).await.is_err());
    }
}
