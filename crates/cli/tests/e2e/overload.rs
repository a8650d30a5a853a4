//! Those who take more than their share meet a bound, and nobody else notices.

use std::time::Duration;

use futures::future::join_all;
use taskfleet_proto::v1::{
    SubmitTasksRequest, TaskSpec, TaskState, WatchTaskRequest, WatchTasksRequest,
};
use tokio::{task::JoinSet, time::Instant};

use crate::fleet::{Fleet, Plan, until};

/// Generous, for these are debug builds on a machine that is busy with other tests.
const QUICK: Duration = Duration::from_secs(10);

/// One task of somebody else is accepted and completes.
async fn another_client_is_served(fleet: &Fleet) {
    let began = Instant::now();
    let id = fleet.submit("from another client").await;
    let accepted = began.elapsed();
    let task = fleet.ended(&id).await;
    assert_eq!(task.state(), TaskState::Completed);
    let completed = began.elapsed();
    assert!(completed < QUICK, "accepted in {accepted:?}, completed in {completed:?}");
}

/// The memory of a process that lies in RAM, in MiB.
fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib >> 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_floods_submissions_keeps_nobody_else_out() {
    let fleet = Fleet::start(1).await;
    let (client, mut flood) = (fleet.tasks(), JoinSet::new());
    for n in 0..2_000 {
        let mut client = client.clone();
        // For a worker that never comes, lest they take the slots.
        let content = format!("flood {n}");
        let spec = TaskSpec { content, model: "nobodys".into(), ..TaskSpec::default() };
        flood.spawn(async move { client.submit_task(spec).await });
    }
    flood.join_next().await.unwrap().unwrap().unwrap();
    another_client_is_served(&fleet).await;
    for answer in flood.join_all().await {
        answer.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_watchers_that_never_read_slow_nobody_down() {
    let mut fleet = Plan::new(1).worker_variable("TASKFLEET_WORKER__SLOTS", "16").start().await;
    // Outcomes that fill every watcher's window many times over.
    let spec =
        |n| TaskSpec { content: format!("{n} [sim:ok,bytes=250000]"), ..TaskSpec::default() };
    let request = SubmitTasksRequest { tasks: (0..64).map(spec).collect() };
    let many = fleet.tasks().submit_tasks(request).await.unwrap().into_inner();
    let ended = join_all(many.tasks.iter().map(|task| fleet.ended(&task.task_id))).await;
    assert!(ended.iter().all(|task| task.state() == TaskState::Completed));
    let before = resident_mib(fleet.supervisor().pid());
    let long = fleet.submit("watched [sim:ok,deltas=1500,delay=2,bytes=3000000]").await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        let mut client = fleet.tasks();
        let request = WatchTaskRequest { task_id: long.clone(), ..WatchTaskRequest::default() };
        let text = client.watch_task(request).await.unwrap();
        let request =
            WatchTasksRequest { cursor: many.cursor.clone(), ..WatchTasksRequest::default() };
        unread.push((text, client.watch_tasks(request).await.unwrap()));
    }
    assert_eq!(fleet.ended(&long).await.state(), TaskState::Completed);
    another_client_is_served(&fleet).await;
    let grown = resident_mib(fleet.supervisor().pid()).saturating_sub(before);
    assert!(grown < 400, "each of them holds {grown} MiB / 100");
    drop(unread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_never_answers_holds_its_own_tasks_for_their_time_and_no_others() {
    let fleet = Plan::new(1).listed(2).start().await;
    let hang = |n| TaskSpec {
        content: format!("{n} [do:hang] [sim:ok]"),
        attempt_timeout: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
        ..TaskSpec::default()
    };
    let tasks = (0..8).map(hang).collect();
    let answer = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let ids: Vec<String> = answer.into_inner().tasks.into_iter().map(|task| task.task_id).collect();
    until("the silent worker has some", || async {
        fleet.log("published-0").contains("called").then_some(())
    })
    .await;
    another_client_is_served(&fleet).await;
    let ended = join_all(ids.iter().map(|id| fleet.ended(id))).await;
    assert!(ended.iter().any(|task| task.attempts.len() > 1), "it had some of them");
    for task in ended {
        let bounded = task.state() == TaskState::Completed || task.attempts.len() == 3;
        assert!(bounded, "{task:?}");
    }
}
