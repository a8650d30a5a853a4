//! A supervisor that goes away in the middle.

use super::room::{Room, prompts, until};

const ARGS: [&str; 4] = ["in.txt", "--wait", "--out", "out.jsonl"];

#[tokio::test]
async fn a_batch_without_answer_is_submitted_again_and_makes_no_second_task() {
    let room = Room::with("in.txt", prompts(10)).await;
    room.supervisor.book().away = 2;
    room.supervisor.book().instant = true;
    let ran = room.run(&ARGS).await;
    assert_eq!((ran.code, room.ids().len()), (Some(0), 10), "{ran:?}");
    assert_eq!(room.supervisor.book().batches, [10; 3]);
    assert!(ran.stderr.contains("asking again"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_runs_is_counted_without_a_list() {
    let room = Room::with("in.txt", prompts(2)).await;
    let child = room.submit(&ARGS).spawn().unwrap();
    // Once at the beginning, to see that a supervisor is there.
    until("it is asked how much runs", || room.supervisor.book().stats == 2).await;
    room.supervisor.book().complete_all();
    let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, room.supervisor.book().lists), (Some(0), 0), "{ran:?}");
}

#[tokio::test]
async fn a_restart_while_waiting_misses_no_outcome() {
    let mut room = Room::with("in.txt", prompts(20)).await;
    let child = room.submit(&ARGS).spawn().unwrap();
    until("the tasks are taken", || room.tasks() == 20).await;
    (0..5).for_each(|index| room.supervisor.book().complete(index));
    room.until_results(5).await;
    room.supervisor.stop();
    (5..15).for_each(|index| room.supervisor.book().complete(index));
    room.supervisor.restart().await;
    room.until_results(15).await;
    room.supervisor.book().complete_all();
    let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, room.ids().len(), room.tasks()), (Some(0), 20, 20), "{ran:?}");
    assert!(ran.stderr.contains("the connection broke"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_supervisor_that_stays_away_ends_the_command_with_3_after_its_patience() {
    let mut room = Room::with("in.txt", prompts(2)).await;
    let child = room.submit(&[&ARGS[..], &["--patience", "1s"]].concat()).spawn().unwrap();
    until("the tasks are taken", || room.tasks() == 2).await;
    room.supervisor.stop();
    let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("the same command goes on"), "{}", ran.stderr);
    let ran = room.run(&ARGS).await;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("connection refused"), "{}", ran.stderr);
}
