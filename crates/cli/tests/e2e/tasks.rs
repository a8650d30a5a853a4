//! A task from its submission to its result, through the CLI.

use std::process::Stdio;

use taskfleet_proto::v1::TaskState;
use tokio::io::AsyncReadExt;

use crate::fleet::Fleet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submitted_prompt_comes_back_as_its_result() {
    let fleet = Fleet::start(2).await;
    let ran = fleet.taskfleet(&["submit", "--wait", "hello"]).await;
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(text.starts_with(&format!("digest:{}", openai_sim::digest("hello"))), "{text}");
    assert_eq!(fleet.calls().await.total, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_is_killed_and_restarted_costs_no_call_and_no_text() {
    let mut fleet = Fleet::start(1).await;
    let id = fleet.submit("hello [sim:ok,deltas=100,delay=30]").await;
    fleet.until_state(&id, TaskState::Running).await;
    let mut watch = fleet.command(&["watch", &id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut printing = watch.stdout.take().unwrap();
    let mut printed = vec![0; 20];
    printing.read_exact(&mut printed).await.unwrap();
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    printing.read_to_end(&mut printed).await.unwrap();
    assert!(watch.wait().await.unwrap().success());
    let task = fleet.ended(&id).await;
    assert_eq!(task.state(), TaskState::Completed);
    let printed = String::from_utf8(printed).unwrap().replace('\n', "");
    assert_eq!(printed, task.result.unwrap().text.replace('\n', ""));
    assert_eq!(fleet.calls().await.total, 1);
}
