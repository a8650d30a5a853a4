//! A new version goes out, process by process, while clients submit and retry, and workers of an
//! earlier one go on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use taskfleet_proto::v1::{
    CancelTaskRequest, DrainWorkerRequest, TaskSpec, TaskState,
    task_service_client::TaskServiceClient,
};
use tokio::{
    task::JoinSet,
    time::{Duration, sleep},
};
use tonic::{Code, transport::Channel};

use crate::fleet::{Fleet, until};

/// Submits one task after another until it is told to stop, each until it is accepted.
async fn submit_on(
    client: TaskServiceClient<Channel>,
    name: usize,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut ids = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let content = format!("{name}-{} [sim:ok,deltas=5,delay=100]", ids.len());
        let spec = TaskSpec { idempotency_key: content.clone(), content, ..TaskSpec::default() };
        let id = loop {
            match client.clone().submit_task(spec.clone()).await {
                Ok(answer) => break answer.into_inner().task_id,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
            }
            sleep(Duration::from_millis(50)).await;
        };
        ids.push(id);
        sleep(Duration::from_millis(50)).await;
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_fails_no_task_and_repeats_no_call() {
    let mut fleet = Fleet::start(3).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for name in 0..4 {
        clients.spawn(submit_on(fleet.tasks(), name, stop.clone()));
    }
    let under_load = async |fleet: &Fleet| {
        until("calls are open", || async { (fleet.calls().await.open > 2).then_some(()) }).await;
    };
    under_load(&fleet).await;
    fleet.supervisor().terminate();
    assert!(fleet.supervisor().ended().await.success());
    fleet.supervisor().restart().await;
    for worker in 0..3 {
        fleet.until_ready(3).await;
        under_load(&fleet).await;
        fleet.worker(worker).terminate();
        assert!(fleet.worker(worker).ended().await.success());
        fleet.worker(worker).restart().await;
    }
    fleet.until_ready(3).await;
    stop.store(true, Ordering::Relaxed);
    let ids: Vec<String> = clients.join_all().await.into_iter().flatten().collect();
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Completed, "{task:?}");
        assert_eq!(task.counters.unwrap().worker_losses, 0);
    }
    let calls = fleet.calls().await;
    assert!(ids.len() > 20, "there was load: {} tasks", ids.len());
    assert_eq!((calls.total, calls.closed_early), (ids.len() as u64, 0), "no call was repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_built_from_an_earlier_wire_serves_todays_supervisor() {
    let mut fleet = Fleet::start(0).await;
    let worker = earlier::Worker::start(fleet.supervisor().address()).await.unwrap();
    fleet.until_ready(1).await;
    let ids = [fleet.submit("one").await, fleet.submit("two").await];
    until("both run", || async { (worker.calls() == 2).then_some(()) }).await;
    // What it does not know of is done without it, or waits for a worker that knows.
    let request = DrainWorkerRequest { worker: "earlier".into(), drain: true };
    fleet.fleet().drain_worker(request).await.unwrap();
    let request = DrainWorkerRequest { worker: "earlier".into(), drain: false };
    fleet.fleet().drain_worker(request).await.unwrap();
    let instructed =
        TaskSpec { content: "three".into(), instructions: "briefly".into(), ..TaskSpec::default() };
    let instructed = fleet.tasks().submit_task(instructed).await.unwrap().into_inner().task_id;
    // The next supervisor adopts what it runs.
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1), "{task:?}");
        assert!(task.result.unwrap().text.ends_with(". "), "the whole text");
    }
    until("its outcomes are settled", || async { (worker.held() == 0).then_some(()) }).await;
    // So are orders followed.
    let cancelled = fleet.submit("four").await;
    until("it runs", || async { (worker.calls() == 3).then_some(()) }).await;
    let request = CancelTaskRequest { task_id: cancelled, ..CancelTaskRequest::default() };
    fleet.tasks().cancel_task(request).await.unwrap();
    until("it is aborted", || async { (worker.held() == 0).then_some(()) }).await;
    assert_eq!(fleet.get(&instructed).await.state(), TaskState::Queued);
    fleet.add_worker().await;
    assert_eq!(fleet.ended(&instructed).await.state(), TaskState::Completed);
    assert_eq!(worker.calls(), 3, "no call was repeated");
}
