//! Full and broken disks.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use taskfleet_store::{Commit, SqliteStore, Store, StoreError, SubmitError};
use tempfile::TempDir;

use crate::{
    disk::Disk,
    support::{at, open, task},
};

struct Ground {
    store: SqliteStore,
    disk: Arc<Disk>,
    path: PathBuf,
    _directory: TempDir,
}

fn ground() -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("tasks.db");
    let disk = Disk::below(&path);
    Ground { store: open(&path).unwrap(), disk, path, _directory: directory }
}

#[tokio::test]
async fn a_full_disk_is_waited_out() {
    let Ground { store, disk, path, _directory } = ground();
    store.submit(vec![task(1)], at(1)).await.unwrap();
    let counts = store.counts();
    disk.fill(true);
    let refused = store.submit(vec![task(2)], at(1)).await;
    assert_eq!(refused, Err(SubmitError::Store(StoreError::Full)));
    assert_eq!(store.check().await, Err(StoreError::Full), "checked by writing");
    assert_eq!(store.counts(), counts);
    assert!(store.task(task(2).id, 0).await.unwrap().is_none());
    assert!(store.broken().now_or_never().is_none());
    disk.fill(false);
    assert_eq!(store.check().await, Ok(()));
    store.submit(vec![task(2)], at(1)).await.unwrap();
    drop(store);
    assert_eq!(open(&path).unwrap().counts().queued, 2);
}

#[tokio::test]
async fn each_transaction_is_told_of_with_its_size_and_a_look_at_the_store_is_none() {
    let Ground { store, disk, _directory, .. } = ground();
    let told: Arc<Mutex<Vec<Commit>>> = Arc::default();
    let watched = told.clone();
    store.watch_commits(Box::new(move |commit| watched.lock().unwrap().push(*commit)));
    store.submit(vec![task(1), task(2)], at(1)).await.unwrap();
    store.check().await.unwrap();
    disk.fill(true);
    store.submit(vec![task(3)], at(1)).await.unwrap_err();
    disk.fill(false);
    store.remove(vec![task(4).id], 1_000).await.unwrap();
    drop(store);
    let told = told.lock().unwrap();
    let seen: Vec<_> = told.iter().map(|commit| (commit.items, commit.failed)).collect();
    assert_eq!(seen, [(2, false), (1, true), (1, false)]);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_promised_any_more() {
    let Ground { store, disk, path, _directory } = ground();
    store.submit(vec![task(1)], at(1)).await.unwrap();
    assert!(store.broken().now_or_never().is_none());
    disk.break_down();
    let failed = store.submit(vec![task(2)], at(1)).await;
    let Err(SubmitError::Store(StoreError::Failed(why))) = failed else { panic!("answered") };
    let broken = store.broken().await;
    assert_eq!(broken, StoreError::Failed(why));
    assert_eq!(store.apply(vec![], at(1)).await, Err(broken.clone()));
    assert_eq!(store.task(task(1).id, 0).await, Err(broken.clone()));
    assert_eq!(store.submit(vec![task(3)], at(1)).await, Err(SubmitError::Store(broken)));
    drop(store);

    // A disk that works, as another machine would find it.
    let elsewhere = path.with_file_name("copy.db");
    std::fs::copy(&path, &elsewhere).unwrap();
    let log = format!("{}-wal", path.display());
    if std::fs::exists(&log).unwrap() {
        std::fs::copy(log, format!("{}-wal", elsewhere.display())).unwrap();
    }
    let store = open(&elsewhere).unwrap();
    assert!(store.task(task(1).id, 0).await.unwrap().is_some());
}
