//! Thousands of prompts from a file, through real processes.

use std::{collections::BTreeSet, fs, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Command;

use crate::fleet::{Fleet, Plan, until};

/// Slow enough to be interrupted in the middle.
fn prompts(count: usize) -> String {
    (1..=count).map(|number| format!("prompt {number} [sim:ok,latency=40]\n")).collect()
}

fn submit(fleet: &Fleet, dir: &TempDir) -> Command {
    let mut command = fleet.command(&["submit", "in.txt", "--wait", "--out", "out.jsonl"]);
    command.current_dir(dir.path()).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

fn results(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("out.jsonl")).unwrap_or_default()
}

fn ids(dir: &TempDir) -> BTreeSet<String> {
    let id = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["id"].as_str().unwrap().to_owned()
    };
    results(dir).lines().map(id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_prompts_interrupted_in_the_middle_are_five_hundred_calls_and_results() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("in.txt"), prompts(500)).unwrap();
    let plan = Plan::new(2).worker_variable("TASKFLEET_WORKER__SLOTS", "4");
    let mut fleet = plan.start().await;
    let child = submit(&fleet, &dir).spawn().unwrap();
    until("results come", || async { (results(&dir).lines().count() >= 50).then_some(()) }).await;
    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let before = results(&dir).lines().count();
    assert!((50..500).contains(&before), "{before} results before the end");
    // And once more in the middle: this time the supervisor goes away.
    let child = submit(&fleet, &dir).spawn().unwrap();
    let more = before + 50;
    until("more results come", || async { (results(&dir).lines().count() >= more).then_some(()) })
        .await;
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((results(&dir).lines().count(), ids(&dir).len()), (500, 500));
    let listed = fleet.taskfleet(&["list", "--all", "--json"]).await;
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 500);
    let calls = fleet.calls().await;
    assert_eq!((calls.total, calls.closed_early), (500, 0));
}
