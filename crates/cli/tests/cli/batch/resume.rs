//! The same command again, after whatever happened to the first.

use std::{fs::OpenOptions, io::Write};

use rustix::process::Signal;

use super::room::{Room, prompts, signal, until};

const ARGS: [&str; 4] = ["in.txt", "--wait", "--out", "out.jsonl"];

#[tokio::test]
async fn a_kill_before_the_answer_to_a_submission_makes_no_second_task() {
    let room = Room::with("in.txt", prompts(50)).await;
    room.supervisor.book().mute = true;
    let mut child = room.submit(&ARGS).spawn().unwrap();
    until("the tasks are taken", || room.tasks() == 50).await;
    child.kill().await.unwrap();
    room.supervisor.book().mute = false;
    room.supervisor.book().complete_all();
    let ran = room.run(&ARGS).await;
    assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(0), 50, 50), "{ran:?}");
}

#[tokio::test]
async fn a_kill_while_waiting_loses_no_result_and_fetches_none_twice() {
    let room = Room::with("in.txt", prompts(30)).await;
    let mut child = room.submit(&ARGS).spawn().unwrap();
    until("the tasks are taken", || room.tasks() == 30).await;
    (0..10).for_each(|index| room.supervisor.book().complete(index));
    room.until_results(10).await;
    child.kill().await.unwrap();
    // While nobody waits ten more end, and the rest after the second command has begun.
    (10..20).for_each(|index| room.supervisor.book().complete(index));
    let again = room.submit(&ARGS).spawn().unwrap();
    room.until_results(20).await;
    room.supervisor.book().complete_all();
    let output = again.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut ids: Vec<u32> = room.ids().iter().map(|id| id.parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=30).collect::<Vec<u32>>());
    let book = room.supervisor.book();
    assert_eq!((book.tasks.len(), book.gets), (30, 10), "what stands in the file is not fetched");
    assert_eq!(book.batches, [30, 20], "what stands in the file is not submitted");
}

#[tokio::test]
async fn tasks_that_end_while_later_batches_are_submitted_again_are_no_change_of_the_file() {
    let room = Room::with("in.txt", prompts(2_500)).await;
    assert_eq!(room.run(&["in.txt"]).await.code, Some(0));
    room.supervisor.book().away_from = 5;
    let again = room.submit(&ARGS).spawn().unwrap();
    // Three batches of the first command, one of the second, and one that gets no answer.
    until("the second batch is refused", || room.supervisor.book().batches.len() >= 5).await;
    room.supervisor.book().complete_all();
    room.until_results(2_500).await;
    room.supervisor.book().away_from = 0;
    let ran: crate::support::Ran = again.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(0), 2_500, 2_500), "{ran:?}");
}

#[tokio::test]
async fn ctrl_c_ends_the_waiting_says_how_to_go_on_and_the_tasks_go_on() {
    let room = Room::with("in.txt", prompts(5)).await;
    let child = room.submit(&ARGS).spawn().unwrap();
    until("the tasks are taken", || room.tasks() == 5).await;
    room.supervisor.book().complete(3);
    room.until_results(1).await;
    signal(&child, Signal::INT);
    let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    for words in ["1 of 5 results are in out.jsonl", "The same command goes on"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    room.supervisor.book().complete_all();
    let ran = room.run(&ARGS).await;
    assert_eq!((ran.code, room.ids().len(), room.tasks()), (Some(0), 5, 5), "{ran:?}");
    assert!(ran.stderr.contains("1 of them stand in the results already"), "{}", ran.stderr);
}

#[tokio::test]
async fn tasks_that_the_supervisor_has_forgotten_are_called_again_and_that_is_said() {
    let room = Room::with("in.txt", prompts(5)).await;
    let mut child = room.submit(&ARGS).spawn().unwrap();
    until("the tasks are taken", || room.tasks() == 5).await;
    room.supervisor.book().complete(3);
    room.until_results(1).await;
    child.kill().await.unwrap();
    {
        let mut book = room.supervisor.book();
        (0..3).for_each(|index| book.complete(index));
        // Nobody fetched the first two while they were kept.
        (0..2).for_each(|index| book.forget(index));
        book.complete(4);
        book.instant = true;
    }
    let ran = room.run(&ARGS).await;
    assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(0), 7, 5), "{ran:?}");
    let said = "2 tasks without a result stand before lines that have one";
    assert!(ran.stderr.contains(said) && ran.stderr.contains("retention"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_torn_last_line_is_mended() {
    let room = Room::with("in.txt", prompts(4)).await;
    room.supervisor.book().instant = true;
    assert_eq!(room.run(&ARGS).await.code, Some(0));
    let whole = room.read("out.jsonl");
    for torn in [&whole[..whole.len() - 1], &whole[..whole.len() - 30], &whole[..120]] {
        room.write("out.jsonl", torn);
        let ran = room.run(&ARGS).await;
        assert_eq!((ran.code, room.ids()), (Some(0), strings(&["1", "2", "3", "4"])), "{ran:?}");
        assert!(ran.stderr.contains("was cut short"), "{}", ran.stderr);
    }
    // A power cut may leave zeros where lines were.
    let mut out = OpenOptions::new().append(true).open(room.path("out.jsonl")).unwrap();
    out.write_all(&[0; 4_096]).unwrap();
    assert_eq!(room.run(&ARGS).await.code, Some(0));
    assert_eq!((room.ids().len(), room.tasks()), (4, 4));
}

#[tokio::test]
async fn results_that_are_taken_away_meanwhile_are_missed_and_come_again() {
    for remove in [true, false] {
        let room = Room::with("in.txt", prompts(3)).await;
        let child = room.submit(&ARGS).spawn().unwrap();
        until("the tasks are taken", || room.tasks() == 3).await;
        room.supervisor.book().complete(0);
        room.until_results(1).await;
        let out = room.path("out.jsonl");
        if remove {
            std::fs::remove_file(&out).unwrap();
        } else {
            std::fs::write(&out, "").unwrap();
        }
        room.supervisor.book().complete_all();
        let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("out.jsonl: it was removed, replaced or cut"), "{ran:?}");
        let ran = room.run(&ARGS).await;
        assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(0), 3, 3), "{ran:?}");
    }
}

#[tokio::test]
async fn a_grown_file_submits_what_is_new() {
    let room = Room::with("in.txt", prompts(3)).await;
    room.supervisor.book().instant = true;
    assert_eq!(room.run(&ARGS).await.code, Some(0));
    room.write("in.txt", prompts(5));
    let ran = room.run(&ARGS).await;
    assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(0), 5, 5), "{ran:?}");
    assert_eq!(room.supervisor.book().batches, [3, 2]);
    assert!(!ran.stderr.contains("called again"), "these are new: {}", ran.stderr);
}

#[tokio::test]
async fn a_changed_prompt_under_a_known_id_is_named_with_its_line() {
    let room = Room::with("in.txt", prompts(3)).await;
    room.supervisor.book().instant = true;
    assert_eq!(room.run(&["in.txt"]).await.code, Some(0));
    room.write("in.txt", prompts(4).replace("prompt 2", "another"));
    let ran = room.run(&["in.txt"]).await;
    assert_eq!((ran.code, room.tasks()), (Some(2), 3), "{ran:?}");
    assert!(ran.stderr.contains("in.txt:2: id is that of another task"), "{}", ran.stderr);
    let ran = room.run(&["in.txt", "--skip-bad", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!((ran.code, room.ids()), (Some(1), strings(&["1", "3", "4"])), "{ran:?}");
    let ran = room.run(&["in.txt", "--group", "other", "--wait"]).await;
    assert_eq!((ran.code, room.tasks()), (Some(0), 8), "{ran:?}");
}

#[tokio::test]
async fn results_of_another_run_are_not_mixed_with_these() {
    let room = Room::with("in.txt", prompts(2)).await;
    room.supervisor.book().instant = true;
    assert_eq!(room.run(&ARGS).await.code, Some(0));
    let ran = room.run(&[&ARGS[..], &["--model", "other"]].concat()).await;
    assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(2), 2, 2), "{ran:?}");
    assert!(ran.stderr.contains("holds the result of another task"), "{}", ran.stderr);
}

#[tokio::test]
async fn when_all_is_there_no_supervisor_is_needed() {
    let mut room = Room::with("in.txt", prompts(2)).await;
    room.supervisor.book().instant = true;
    assert_eq!(room.run(&ARGS).await.code, Some(0));
    room.supervisor.stop();
    assert_eq!(room.run(&ARGS).await.code, Some(0));
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
