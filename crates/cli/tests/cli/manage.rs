//! Commands for many tasks and for the fleet.

use std::process::Stdio;

use crate::{
    batch::{Room, lines, prompts},
    support::{Ran, command},
};

/// A supervisor with `count` tasks in group g, of which the first two have failed.
async fn room(count: usize) -> Room {
    let room = Room::with("in.txt", prompts(count)).await;
    assert_eq!(room.run(&["in.txt", "--group", "g"]).await.code, Some(0));
    room.supervisor.book().fail(0);
    room.supervisor.book().fail(1);
    room
}

async fn run(room: &Room, args: &[&str]) -> Ran {
    let mut command = command(args);
    command.args(["--address", &room.supervisor.address]);
    command.stdin(Stdio::null()).output().await.unwrap().into()
}

#[tokio::test]
async fn a_list_is_newest_first_bounded_and_filtered() {
    let room = room(150).await;
    let ran = run(&room, &["list"]).await;
    let table: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(table.len(), 101, "{ran:?}");
    assert!(table[0].starts_with("TASK      STATE   GROUP  REF"), "{}", table[0]);
    assert!(table[1].starts_with("task-149  queued  g      150"), "{}", table[1]);
    assert!(ran.stderr.contains("There are more"), "{}", ran.stderr);
    assert_eq!(run(&room, &["list", "--all", "--json"]).await.stdout.lines().count(), 150);
    let ran = run(&room, &["list", "--state", "failed", "--group", "g", "--json"]).await;
    let ids: Vec<_> = lines(&ran.stdout).into_iter().map(|task| task["id"].clone()).collect();
    assert_eq!((ids, ran.stderr.as_str()), (vec!["task-1".into(), "task-0".into()], ""));
    let ran = run(&room, &["list", "--group", "none"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(ran.stderr.contains("There are no such tasks"), "{}", ran.stderr);
}

#[tokio::test]
async fn failed_tasks_are_retried_by_their_group_and_once() {
    let room = room(5).await;
    let ran = run(&room, &["retry", "--group", "g"]).await;
    assert_eq!((ran.code, room.tasks()), (Some(0), 7), "{ran:?}");
    let said: Vec<&str> = ran.stdout.lines().collect();
    // Several are asked for at once; what is told stays in order.
    assert!(said[0].starts_with("task-1 retried as task-"), "{said:?}");
    assert!(said[1].starts_with("task-0 retried as task-"), "{said:?}");
    assert!(ran.stderr.contains("2 of 2 tasks retried"), "{}", ran.stderr);
    let ran = run(&room, &["retry", "--group", "g", "--json"]).await;
    assert_eq!((ran.code, room.tasks()), (Some(0), 7), "{ran:?}");
    let first = &lines(&ran.stdout)[0];
    assert_eq!((&first["retryOf"], &first["existing"]), (&"task-1".into(), &true.into()));
    assert!(said[0].ends_with(first["taskId"].as_str().unwrap()), "{said:?} {first}");
}

#[tokio::test]
async fn a_task_that_cannot_be_retried_does_not_keep_the_others() {
    let room = room(3).await;
    let ran = run(&room, &["retry", "task-2", "unknown", "task-0"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "task-0 retried as task-3\n"), "{ran:?}");
    for words in ["task-2: not possible now", "unknown: not found", "1 of 3 tasks retried"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn a_group_is_cancelled_except_for_what_has_ended() {
    let room = room(4).await;
    let ran = run(&room, &["cancel", "--group", "g"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "task-3 cancelled\ntask-2 cancelled\n"));
    let ran = run(&room, &["cancel", "--group", "g"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("nothing to cancel"), "{}", ran.stderr);
    let ran = run(&room, &["cancel", "task-3"]).await;
    assert_eq!(ran.stdout, "task-3 had ended before: cancelled\n");
}

#[tokio::test]
async fn a_queued_task_that_begins_before_its_cancel_comes_is_left_alone_and_counted() {
    let room = room(5).await;
    room.supervisor.book().begin_at_cancel = vec![3];
    let ran = run(&room, &["cancel", "--group", "g", "--state", "queued"]).await;
    let said = "task-4 cancelled\ntask-3 left alone: running by now\ntask-2 cancelled\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), said), "{ran:?}");
    let counted = "2 of 3 tasks cancelled; 1 left alone: not in the state that was asked for";
    assert!(ran.stderr.contains(counted), "{}", ran.stderr);
    let ran = run(&room, &["cancel", "--group", "g", "--state", "queued,running"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "task-3 cancelled\n"), "{ran:?}");
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let room = room(2_000).await;
    let mut command = command(&["list", "--all", "--json", "--address", &room.supervisor.address]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_worker_is_drained_and_taken_back() {
    let room = Room::with("in.txt", "").await;
    let expected = "\
NAME      STATE     ADDRESS          SLOTS  MODELS  HEARD      VERSION
worker-1  draining  127.0.0.1:50052  3/64   any     1.0 s ago  0.1.0
";
    assert_eq!(run(&room, &["drain", "worker-1"]).await.stdout, expected);
    let ran = run(&room, &["drain", "boot-1", "--undo", "--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["worker"]["state"], "WORKER_STATE_READY");
    let ran = run(&room, &["drain", "worker-9"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("not found: worker: there is none"), "{}", ran.stderr);
}

#[tokio::test]
async fn stats_and_backup_say_what_the_supervisor_says() {
    let room = Room::with("in.txt", "").await;
    let ran = run(&room, &["stats"]).await;
    assert!(ran.stdout.starts_with("queued           12,000\n"), "{ran:?}");
    let ran = run(&room, &["stats", "--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["queued"], "12000");
    let ran = run(&room, &["backup", "/backup.db"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "/backup.db: 4.0 KiB\n"));
    let ran = run(&room, &["backup", "backup.db"]).await;
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("path must be absolute"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_is_not_possible_for_a_state_is_wrong_usage() {
    let room = room(3).await;
    for (args, words) in [
        (["cancel", "--state", "completed"], "possible for queued, running tasks only"),
        (["retry", "--state", "queued"], "possible for completed, failed, cancelled tasks only"),
    ] {
        let ran = run(&room, &args).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}
