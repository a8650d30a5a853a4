//! What is wrong with an input or a results file is found before anything is submitted.

use std::{io::Write, process::Stdio};

use tokio::io::AsyncWriteExt;

use super::room::{Room, prompts};

/// Ten thousand lines of JSON, of which line 5,000 is broken.
fn broken() -> String {
    let line = |number| match number {
        5_000 => "{\"id\": \"5000\", \"content\": \"secret\"\n".to_owned(),
        _ => format!("{{\"id\": \"{number}\", \"content\": \"x\"}}\n"),
    };
    (1..=10_000).map(line).collect()
}

#[tokio::test]
async fn a_broken_line_is_named_and_nothing_is_submitted() {
    let room = Room::with("in.jsonl", broken()).await;
    let ran = room.run(&["in.jsonl", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("in.jsonl:5000: the line is not valid JSON"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    assert!(room.supervisor.book().batches.is_empty());
    assert!(!room.path("out.jsonl").exists());
}

#[tokio::test]
async fn with_skip_bad_the_rest_is_submitted_and_the_command_ends_with_1() {
    let room = Room::with("in.jsonl", broken()).await;
    room.supervisor.book().instant = true;
    let args = ["in.jsonl", "--wait", "--out", "out.jsonl", "--skip-bad"];
    let ran = room.run(&args).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("in.jsonl:5000: the line is not valid JSON"), "{}", ran.stderr);
    assert!(ran.stderr.contains("9,999 tasks ended"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 line left out"), "{}", ran.stderr);
    assert_eq!((room.tasks(), room.ids().len()), (9_999, 9_999));
}

#[tokio::test]
async fn with_skip_bad_lines_that_are_json_and_say_something_wrong_are_left_out_too() {
    let wrong = [
        r#"{"id": "a", "content": ""}"#,
        r#"{"id": "b", "content": "x", "priority": 101}"#,
        r#"{"id": "c", "content": "x", "timeout": "0s"}"#,
        r#"{"id": "d", "endpoint": "/v1/images", "body": {}}"#,
        r#"{"id": "e", "endpoint": "/v1/responses", "body": {"stream": true}}"#,
        r#"{"id": "f", "content": "x", "endpoint": "/v1/responses", "body": {}}"#,
    ];
    let line = |id: &str| format!("{{\"id\": \"{id}\", \"content\": \"x\"}}");
    let lines = [&[line("first")], &wrong.map(str::to_owned)[..], &[line("last")]].concat();
    let room = Room::with("in.jsonl", lines.join("\n")).await;
    room.supervisor.book().instant = true;
    let ran = room.run(&["in.jsonl", "--wait", "--out", "out.jsonl", "--skip-bad"]).await;
    assert_eq!((ran.code, room.tasks(), room.ids().len()), (Some(1), 2, 2), "{ran:?}");
    assert!(ran.stderr.contains("6 lines left out"), "{}", ran.stderr);
}

#[tokio::test]
async fn many_wrong_lines_are_counted_and_the_first_are_told() {
    let room = Room::with("in.jsonl", "{\"content\": \"\"}\n".repeat(1_000)).await;
    let ran = room.run(&["in.jsonl"]).await;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("in.jsonl:1: content is empty: a prompt is needed"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("… and 980 more lines."), "{}", ran.stderr);
    assert!(ran.stderr.contains("1,000 lines of in.jsonl cannot be submitted"), "{}", ran.stderr);
    assert!(ran.stderr.lines().count() < 30, "{}", ran.stderr);
}

#[tokio::test]
async fn an_id_that_stands_twice_is_named_with_both_lines() {
    let line = |id: &str| format!("{{\"id\": \"{id}\", \"content\": \"x\"}}\n");
    let room = Room::with("in.jsonl", line("a") + &line("b") + &line("a")).await;
    let ran = room.run(&["in.jsonl"]).await;
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("in.jsonl:3: id is that of line 1 already"), "{}", ran.stderr);
    let ran = room.run(&["in.jsonl", "--skip-bad"]).await;
    assert_eq!((ran.code, room.tasks()), (Some(1), 2), "{ran:?}");
}

#[tokio::test]
async fn inputs_that_hold_no_task_are_wrong_usage() {
    let room = Room::with("in.txt", "\n \n").await;
    for (args, words) in [
        (vec!["in.txt"], "holds no task"),
        (vec!["none.jsonl"], "cannot read none.jsonl: no such file"),
        (vec!["./none.dat"], "cannot read ./none.dat: no such file"),
        (vec!["."], "cannot read .: is a directory"),
        (vec!["in.txt", "--watch"], "--watch goes with one prompt"),
        (vec!["in.txt", "--client-ref", "a"], "--client-ref goes with one prompt"),
        (vec!["a prompt", "--skip-bad"], "--skip-bad goes with a file"),
    ] {
        let ran = room.run(&args).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(room.supervisor.book().batches.is_empty());
}

#[tokio::test]
async fn a_results_file_that_cannot_be_written_is_found_before_anything_is_submitted() {
    let room = Room::with("in.txt", prompts(2)).await;
    room.write("other.txt", "not results\nat all");
    for (out, words) in [
        ("none/out.jsonl", "cannot write none/out.jsonl: no such file"),
        (".", "cannot write .: is a directory"),
        ("other.txt", "other.txt:1 is no line of results"),
        ("in.txt", "in.txt:1 is no line of results"),
    ] {
        let ran = room.run(&["in.txt", "--wait", "--out", out]).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(room.supervisor.book().batches.is_empty());
    assert_eq!(
        (room.read("other.txt"), room.read("in.txt")),
        ("not results\nat all".into(), prompts(2))
    );
}

#[tokio::test]
async fn standard_input_is_lines_unless_it_is_said_to_be_one_prompt() {
    let room = Room::with("in.txt", "").await;
    room.supervisor.book().instant = true;
    for (args, tasks) in [(vec!["-", "--wait"], 2), (vec!["-", "--format", "jsonl"], 2)] {
        let mut child = room.submit(&args).stdin(Stdio::piped()).spawn().unwrap();
        let content: &[u8] = match tasks {
            _ if args.contains(&"jsonl") => b"{\"content\": \"c\"}\n{\"content\": \"d\"}\n",
            _ => b"a\nb\n",
        };
        child.stdin.take().unwrap().write_all(content).await.unwrap();
        let ran: crate::support::Ran = child.wait_with_output().await.unwrap().into();
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let contents: Vec<String> =
        room.supervisor.book().specs.iter().map(|spec| spec.content.clone()).collect();
    assert_eq!(contents, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_file_that_two_commands_write_is_refused_to_the_second() {
    let room = Room::with("in.txt", prompts(1)).await;
    let out = std::fs::File::create(room.path("out.jsonl")).unwrap();
    out.try_lock().unwrap();
    let ran = room.run(&["in.txt", "--wait", "--out", "out.jsonl"]).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("written by another taskfleet"), "{}", ran.stderr);
    (&mut &out).flush().unwrap();
}
