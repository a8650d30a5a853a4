//! Processes die, hang and come back; tasks do not notice.

use std::time::Duration;

use taskfleet_proto::v1::{TaskState, WorkerState};

use crate::fleet::{Fleet, Plan, until};

/// Long enough to be interrupted: three seconds.
const LONG: &str = "hello [sim:ok,deltas=100,delay=30]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_workers_task_completes_on_another() {
    let mut fleet = Fleet::start(2).await;
    let id = fleet.submit(LONG).await;
    let running = fleet.until_state(&id, TaskState::Running).await;
    until("the model was called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    let first = fleet.index_of(&running.worker);
    fleet.worker(first).kill();
    let task = fleet.ended(&id).await;
    assert_eq!(task.state(), TaskState::Completed);
    assert_eq!(task.counters.unwrap().worker_losses, 1);
    let calls = fleet.calls().await;
    assert_eq!((calls.of_task(&id), calls.closed_early), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_worker_is_left_and_comes_back() {
    let mut fleet = Fleet::start(2).await;
    fleet.worker(0).stop();
    until("the stopped worker is no longer ready", || async {
        let workers = fleet.workers().await;
        let ready = workers.iter().filter(|worker| worker.state() == WorkerState::Ready);
        (ready.count() == 1).then_some(())
    })
    .await;
    let id = fleet.submit("hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    fleet.worker(0).cont();
    fleet.until_ready(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_asked_to_stop_finishes_its_call_first() {
    let mut fleet = Fleet::start(1).await;
    let id = fleet.submit("hello [sim:ok,deltas=30,delay=30]").await;
    until("the model was called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    fleet.worker(0).terminate();
    assert!(fleet.worker(0).ended().await.success());
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), fleet.calls().await.total), (TaskState::Completed, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_asked_to_stop_keeps_its_outcome_for_a_supervisor_that_is_away() {
    let mut fleet = Fleet::start(1).await;
    let id = fleet.submit("hello [sim:ok,deltas=10,delay=30]").await;
    until("the model was called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    fleet.supervisor().kill();
    fleet.worker(0).terminate();
    until("the call has ended", || async { (fleet.calls().await.open == 0).then_some(()) }).await;
    // Not to wait for anything: longer than a worker without grace waits to be settled.
    tokio::time::sleep(Duration::from_secs(4)).await;
    fleet.supervisor().restart().await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), fleet.calls().await.total), (TaskState::Completed, 1));
    assert!(fleet.worker(0).ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_attempts_are_retried_and_told() {
    let plan =
        Plan::new(1).sim(&["--latency-ms", "5"]).worker_variable("TASKFLEET_WORKER__SLOTS", "2");
    let mut fleet = plan.supervisor("HEARTBEAT_SECONDS", "1").start().await;
    let pid = fleet.worker(0).pid();
    fleet.worker(0).restart_elsewhere().await;
    assert_ne!(fleet.worker(0).pid(), pid);
    let id = fleet.submit("hello [sim:500,ok]").await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 2));
    let calls = fleet.calls().await;
    let outcomes: Vec<&str> =
        calls.calls.values().flat_map(|tally| &tally.outcomes).map(String::as_str).collect();
    assert_eq!(outcomes, ["500", "200"]);
    assert!(
        calls
            .calls
            .values()
            .all(|tally| (tally.count, tally.open, tally.closed_early) == (1, 0, 0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_api_that_is_away_for_a_moment_costs_no_attempt() {
    let mut fleet = Fleet::start(1).await;
    fleet.sim().kill();
    let id = fleet.submit("hello").await;
    until("the task was throttled", || async {
        let task = fleet.get(&id).await;
        task.counters.is_some_and(|counters| counters.throttles > 0).then_some(())
    })
    .await;
    fleet.sim().restart().await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.counters.unwrap().attempts), (TaskState::Completed, 0));
}
