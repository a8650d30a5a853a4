//! A supervisor that goes away and comes back: tasks are made once, text is printed once.

use std::process::Stdio;

use rustix::process::Signal;
use taskfleet_proto::{
    FieldError,
    v1::{
        SubmitTaskResponse, Task, TaskResult, TaskState, TextDelta, TextSnapshot,
        WatchTaskResponse, watch_task_response::Event,
    },
};
use tonic::Status;

use crate::{
    batch::{signal, until},
    fake::{Fake, Script},
    support::{Ran, command, taskfleet},
};

fn accepted() -> SubmitTaskResponse {
    SubmitTaskResponse { task_id: "task-1".into(), ..SubmitTaskResponse::default() }
}

fn event(cursor: &str, event: Event) -> Result<WatchTaskResponse, Status> {
    Ok(WatchTaskResponse { task_id: "task-1".into(), cursor: cursor.into(), event: Some(event) })
}

fn delta(lease: u64, offset: u64, text: &str) -> Event {
    Event::TextDelta(TextDelta { lease, offset, text: text.into() })
}

fn ended(state: TaskState, text: &str) -> Event {
    let result = TaskResult { text: text.into(), ..TaskResult::default() };
    let mut task = Task { id: "task-1".into(), result: Some(result), ..Task::default() };
    task.set_state(state);
    Event::Ended(task)
}

#[tokio::test]
async fn unavailable_is_asked_again_with_the_same_key() {
    let stopping = || Err(Status::unavailable("the supervisor is stopping"));
    let submits = [stopping(), stopping(), Ok(accepted())].into();
    let fake = Fake::start(Script { submits, ..Script::default() }).await;
    let ran = taskfleet(&["submit", "hi", "--address", &fake.address]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "task-1\n"), "{ran:?}");
    let keys = &fake.script.lock().unwrap().keys;
    assert_eq!(keys.len(), 3);
    assert!(!keys[0].is_empty() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[tokio::test]
async fn a_refusal_is_told_by_field_and_not_asked_again() {
    let refusal = FieldError::new("priority", "must be from -100 (last) to 100 (first)").into();
    let fake = Fake::start(Script { submits: [Err(refusal)].into(), ..Script::default() }).await;
    let args = ["submit", "hi", "--priority", "-101", "--address", &fake.address];
    let ran = taskfleet(&args).await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("priority must be from -100"), "{}", ran.stderr);
}

#[tokio::test]
async fn text_is_printed_once_across_a_broken_stream() {
    let first = vec![
        event("1", delta(7, 0, "one ")),
        event("2", delta(7, 4, "two ")),
        Err(Status::unavailable("the supervisor is stopping")),
    ];
    let snapshot = TextSnapshot { lease: 7, text: "one two three".into() };
    let second = vec![
        event("3", Event::TextSnapshot(snapshot)),
        event("4", ended(TaskState::Completed, "one two three four")),
    ];
    let fake = Fake::start(Script { watches: [first, second].into(), ..Script::default() }).await;
    let ran = taskfleet(&["watch", "task-1", "--address", &fake.address]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.replace('\n', ""), "one two three four");
    assert_eq!(fake.script.lock().unwrap().cursors, ["", "2"]);
}

#[tokio::test]
async fn a_new_lease_starts_the_text_again_and_says_so() {
    let events = vec![
        event("1", delta(7, 0, "one ")),
        event("2", delta(8, 0, "other")),
        event("3", ended(TaskState::Completed, "other")),
    ];
    let fake = Fake::start(Script { watches: [events].into(), ..Script::default() }).await;
    let ran = taskfleet(&["watch", "task-1", "--address", &fake.address]).await;
    assert_eq!(ran.stdout, "one \nother\n", "{ran:?}");
    assert!(ran.stderr.contains("— started again —"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_failed_task_ends_with_1_and_prints_no_result() {
    let events = vec![event("1", ended(TaskState::Failed, ""))];
    let submits = [Ok(accepted())].into();
    let script = Script { submits, watches: [events].into(), ..Script::default() };
    let fake = Fake::start(script).await;
    let ran = taskfleet(&["submit", "hi", "--wait", "--address", &fake.address]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
}

#[tokio::test]
async fn ctrl_c_while_waiting_says_how_to_find_the_task_again() {
    for waiting in ["--wait", "--watch"] {
        let (submits, watches) = ([Ok(accepted())].into(), [vec![]].into());
        let script = Script { submits, watches, is_silent: true, ..Script::default() };
        let fake = Fake::start(script).await;
        let ran =
            interrupted(&fake, &["submit", "hi", waiting], |script| !script.cursors.is_empty())
                .await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
        let how = format!("`taskfleet watch task-1 --address {}`", fake.address);
        assert!(ran.stderr.contains(&how), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn ctrl_c_before_the_answer_says_how_to_ask_again() {
    let fake = Fake::start(Script { is_silent: true, ..Script::default() }).await;
    let ran = interrupted(&fake, &["submit", "hi"], |script| !script.keys.is_empty()).await;
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let key = format!("--idempotency-key {}", fake.script.lock().unwrap().keys[0]);
    assert!(ran.stderr.contains(&key), "{}", ran.stderr);
}

/// What a command leaves that is interrupted once the script has come so far.
async fn interrupted(fake: &Fake, args: &[&str], is_so: impl Fn(&Script) -> bool) -> Ran {
    let mut command = command(&[args, &["--address", &fake.address]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it waits", || is_so(&fake.script.lock().unwrap())).await;
    signal(&child, Signal::INT);
    child.wait_with_output().await.unwrap().into()
}

#[tokio::test]
async fn json_is_one_event_a_line() {
    let events =
        vec![event("1", delta(7, 0, "one")), event("2", ended(TaskState::Completed, "one"))];
    let fake = Fake::start(Script { watches: [events].into(), ..Script::default() }).await;
    let ran = taskfleet(&["watch", "task-1", "--json", "--address", &fake.address]).await;
    let lines: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["textDelta"]["text"], "one");
    assert_eq!(lines[1]["ended"]["state"], "TASK_STATE_COMPLETED");
}
