//! A new version goes out, process by process, while clients submit and retry.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use taskfleet_proto::v1::{TaskSpec, TaskState, task_service_client::TaskServiceClient};
use tokio::{
    task::JoinSet,
    time::{Duration, sleep},
};
use tonic::{Code, transport::Channel};

use crate::fleet::Fleet;

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
        crate::fleet::until("calls are open", || async {
            (fleet.calls().await.open > 2).then_some(())
        })
        .await;
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
