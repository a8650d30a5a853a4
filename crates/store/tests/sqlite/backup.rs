//! Copies of a store that goes on.

use std::{fs, path::PathBuf, sync::Arc};

use futures::{FutureExt, future::join_all};
use taskfleet_store::{BackupError, NewTask, SqliteStore, Store};
use tempfile::TempDir;

use crate::{
    disk::fill_databases_in,
    support::{at, holder, open, open_at, task},
};

struct Ground {
    store: Arc<SqliteStore>,
    directory: TempDir,
}

impl Ground {
    async fn with_tasks(count: u8) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(open(&directory.path().join("tasks.db")).unwrap());
        store.submit((0..count).map(task).collect(), at(1)).await.unwrap();
        Self { store, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What lies there besides the store.
    fn others(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut others: Vec<_> = names.filter(|name| !name.starts_with("tasks.db")).collect();
        others.sort();
        others
    }
}

#[tokio::test]
async fn a_copy_is_a_store_with_every_task_and_a_later_epoch() {
    let ground = Ground::with_tasks(50).await;
    let path = ground.path("copy.db");
    let size = ground.store.backup(path.clone()).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), size);
    assert_eq!(ground.others(), ["copy.db"]);
    let copy = open_at(&path, 1, 9).unwrap();
    assert_eq!(copy.counts(), ground.store.counts());
    assert_eq!(copy.identity().store, ground.store.identity().store);
    assert!(copy.identity().epoch > ground.store.identity().epoch);
    for n in 0..50 {
        let id = task(n).id;
        assert_eq!(copy.task(id, 9).await, ground.store.task(id, 9).await);
        assert!(copy.specs(vec![id]).await == ground.store.specs(vec![id]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_written_while_tasks_come_is_one_moment_of_the_store() {
    let ground = Ground::with_tasks(1).await;
    let path = ground.path("copy.db");
    let copying = ground.store.backup(path.clone());
    let submitting = async {
        for n in 1..=200 {
            ground.store.submit(vec![task(n)], at(1)).await.unwrap();
        }
    };
    let (copied, ()) = futures::join!(copying, submitting);
    copied.unwrap();
    let copy = open(&path).unwrap();
    let there = join_all((0..=200).map(|n| copy.task(task(n).id, 0))).await;
    let there: Vec<bool> = there.into_iter().map(|found| found.unwrap().is_some()).collect();
    let count = there.iter().filter(|is_there| **is_there).count();
    assert!(there[..count].iter().all(|is_there| *is_there), "the first {count}, without a gap");
    assert_eq!(copy.counts().queued, count as u64);
    assert!(count >= 1);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_leaves_no_file() {
    let ground = Ground::with_tasks(1).await;
    fs::write(ground.path("taken"), "mine").unwrap();
    let refusals = [
        ("taken", BackupError::Exists),
        ("nowhere/copy.db", BackupError::NoDirectory),
        ("taken/copy.db", BackupError::NoDirectory),
    ];
    for (name, expected) in refusals {
        assert_eq!(ground.store.backup(ground.path(name)).await, Err(expected), "{name}");
    }
    assert_eq!(ground.others(), ["taken"]);
    assert_eq!(fs::read(ground.path("taken")).unwrap(), b"mine");
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_copy_and_the_store_goes_on() {
    let ground = Ground::with_tasks(200).await;
    let full = ground.path("full");
    fs::create_dir(&full).unwrap();
    fill_databases_in(&full.canonicalize().unwrap());
    let refused = ground.store.backup(full.canonicalize().unwrap().join("copy.db")).await;
    assert_eq!(refused, Err(BackupError::Full));
    assert_eq!(fs::read_dir(&full).unwrap().count(), 0);
    ground.store.submit(vec![task(201)], at(1)).await.unwrap();
    ground.store.backup(ground.path("copy.db")).await.unwrap();
}

#[tokio::test]
async fn there_is_one_copy_at_a_time_and_one_that_nobody_waits_for_ends() {
    let ground = Ground::with_tasks(1).await;
    let mut first = ground.store.backup(ground.path("first.db"));
    assert!((&mut first).now_or_never().is_none());
    let second = ground.store.backup(ground.path("second.db")).await;
    // The first may be done by now; the two never ran at once.
    assert!(matches!(second, Err(BackupError::Busy) | Ok(_)), "{second:?}");
    drop(first);
    let Ground { store, directory } = ground;
    drop(store);
    let left = fs::read_dir(directory.path()).unwrap();
    let half = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".taskfleet-backup")
    });
    assert_eq!(half.count(), 0, "nothing half done is left when the store is closed");
}

#[tokio::test]
async fn what_runs_is_lent_to_the_copy_by_the_original() {
    let ground = Ground::with_tasks(2).await;
    let epoch = ground.store.identity().epoch;
    let running = NewTask { claim: Some(holder()), ..task(2) };
    ground.store.submit(vec![running], at(1)).await.unwrap();
    ground.store.backup(ground.path("copy.db")).await.unwrap();
    assert_eq!(ground.others(), ["copy.db"], "nothing is left beside it");
    let copy = open_at(&ground.path("copy.db"), 1, 9).unwrap();
    let lent = async |store: &SqliteStore, n| {
        let detail = store.task(task(n).id, 0).await.unwrap();
        detail.unwrap().record.lease_borrowed
    };
    assert!(lent(&copy, 2).await, "the original goes on with it");
    assert!(!lent(&copy, 1).await && !lent(&ground.store, 2).await);
    assert_eq!(copy.identity().former, epoch);
}
