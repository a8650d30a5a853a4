//! Nobody is answered before the sync that covers it, and one sync covers many.

use std::sync::Arc;

use futures::{FutureExt, future::join_all};
use taskfleet_store::{SqliteStore, Store};
use tempfile::TempDir;

use crate::{
    disk::Disk,
    support::{at, open, task},
};

fn gated() -> (SqliteStore, Arc<Disk>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("tasks.db");
    let disk = Disk::below(&path);
    (open(&path).unwrap(), disk, directory)
}

#[tokio::test]
async fn nobody_is_answered_before_the_sync_that_covers_it() {
    let (store, disk, _directory) = gated();
    disk.hold();
    let mut submission = store.submit(vec![task(1)], at(1));
    assert!((&mut submission).now_or_never().is_none());
    disk.wait_for_sync();
    assert!((&mut submission).now_or_never().is_none());
    assert_eq!(store.counts().queued, 0);
    disk.release();
    submission.await.unwrap();
    assert_eq!(store.counts().queued, 1);
}

#[tokio::test]
async fn readers_neither_wait_for_a_sync_nor_see_what_it_covers() {
    let (store, disk, _directory) = gated();
    store.submit(vec![task(1)], at(1)).await.unwrap();
    disk.hold();
    let mut submission = store.submit(vec![task(2)], at(1));
    assert!((&mut submission).now_or_never().is_none());
    disk.wait_for_sync();
    assert!(store.task(task(1).id, 0).await.unwrap().is_some());
    assert!(store.task(task(2).id, 0).await.unwrap().is_none());
    disk.release();
    submission.await.unwrap();
    assert!(store.task(task(2).id, 0).await.unwrap().is_some());
}

#[tokio::test]
async fn a_sync_lies_between_each_submission_and_its_answer() {
    let (store, disk, _directory) = gated();
    for n in 0..20 {
        let before = disk.syncs();
        store.submit(vec![task(n)], at(1)).await.unwrap();
        assert!(disk.syncs() > before);
    }
}

#[tokio::test]
async fn one_sync_covers_all_that_waits() {
    let (store, disk, _directory) = gated();
    disk.hold();
    let mut first = store.submit(vec![task(0)], at(1));
    assert!((&mut first).now_or_never().is_none());
    disk.wait_for_sync();
    let mut others = (1..=200).map(|n| store.submit(vec![task(n)], at(1))).collect::<Vec<_>>();
    for submission in &mut others {
        assert!(submission.now_or_never().is_none());
    }
    let before = disk.syncs();
    disk.release();
    first.await.unwrap();
    for answer in join_all(others).await {
        answer.unwrap();
    }
    // One for the first and one for all others; the log itself may need another.
    let syncs = disk.syncs() - before;
    assert!((2..=4).contains(&syncs), "{syncs} syncs");
    assert_eq!(store.counts().queued, 201);
}
