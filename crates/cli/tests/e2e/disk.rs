//! A disk that is really full.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use taskfleet_proto::v1::{TaskSpec, TaskState};
use tempfile::TempDir;
use tonic::Code;

use crate::fleet::{Plan, until};

/// A file system in memory that can be filled.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where nobody may mount one: only root may.
    fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(directory.path());
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then_some(Self(directory))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open ends with the test.
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for piece in [vec![0; 64 << 10], vec![0; 1]] {
        while file.write_all(&piece).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_new_tasks_and_loses_none_that_was_accepted() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not tested: this needs the right to mount a file system");
        return;
    };
    let store = disk.path("taskfleet.db").display().to_string();
    let fleet = Plan::new(1).supervisor("STORE", &store).start().await;
    let running = fleet.submit("runs [sim:ok,deltas=40,delay=50]").await;
    fleet.until_state(&running, TaskState::Running).await;
    fill(&disk.path("filler"));

    let mut accepted = vec![running.clone()];
    let refused = until("a submission is refused", || async {
        let spec = TaskSpec { content: "x".repeat(100_000), ..TaskSpec::default() };
        fleet.tasks().submit_task(spec).await.map(|answer| answer.into_inner().task_id).err()
    })
    .await;
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    until("it says that it is not ready", || async {
        let health = fleet.taskfleet(&["health"]).await;
        (health.status.code() == Some(1)).then_some(())
    })
    .await;
    until("the call has ended", || async { (fleet.calls().await.open == 0).then_some(()) }).await;
    assert_eq!(fleet.get(&running).await.state(), TaskState::Running, "its outcome is kept");

    std::fs::remove_file(disk.path("filler")).unwrap();
    until("it is ready again", || async {
        let health = fleet.taskfleet(&["health"]).await;
        health.status.success().then_some(())
    })
    .await;
    accepted.push(fleet.submit("more").await);
    for id in accepted {
        assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
        assert_eq!(fleet.calls().await.of_task(&id), 1);
    }
    drop(fleet);
}
