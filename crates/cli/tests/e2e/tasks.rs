//! A task from its submission to its result, through the CLI.

use taskfleet_proto::v1::TaskState;

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
    let watching = fleet.command(&["watch", &id]).output();
    let restarting = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        fleet.supervisor().kill();
        fleet.supervisor().restart().await;
    };
    let (watched, ()) = tokio::join!(watching, restarting);
    let watched = watched.unwrap();
    assert!(watched.status.success(), "{}", String::from_utf8_lossy(&watched.stderr));
    let task = fleet.ended(&id).await;
    assert_eq!(task.state(), TaskState::Completed);
    let printed = String::from_utf8(watched.stdout).unwrap().replace('\n', "");
    assert_eq!(printed, task.result.unwrap().text.replace('\n', ""));
    assert_eq!(fleet.calls().await.total, 1);
}
