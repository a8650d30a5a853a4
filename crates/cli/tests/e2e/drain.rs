//! An operator takes workers out of service and back.

use taskfleet_proto::v1::{DrainWorkerRequest, TaskState, Worker, WorkerState};
use tonic::{Code, Status};

use crate::fleet::{Fleet, Plan, until};

async fn drain(fleet: &Fleet, worker: &str, drain: bool) -> Result<Worker, Status> {
    let request = DrainWorkerRequest { worker: worker.to_owned(), drain };
    Ok(fleet.fleet().drain_worker(request).await?.into_inner().worker.unwrap())
}

async fn worker(fleet: &Fleet, name: &str) -> Option<Worker> {
    fleet.workers().await.into_iter().find(|worker| worker.name == name)
}

async fn until_drained_by_an_operator(fleet: &Fleet, name: &str) {
    until("the worker is drained by an operator", || async {
        let found = worker(fleet, name).await?;
        let drained = found.state() == WorkerState::Draining;
        (drained && found.detail.contains("by an operator")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_worker_ends_what_it_runs_and_gets_nothing_new_until_it_is_taken_back() {
    let fleet = Fleet::start(2).await;
    let slow = fleet.submit("slow [sim:ok,deltas=40,delay=50]").await;
    let drained = fleet.until_state(&slow, TaskState::Running).await.worker;
    let answer = drain(&fleet, &drained, true).await.unwrap();
    assert_eq!(answer.state(), WorkerState::Draining);
    assert!(answer.detail.contains("by an operator"), "{}", answer.detail);
    for n in 0..6 {
        let id = fleet.submit(&format!("{n}")).await;
        assert_ne!(fleet.ended(&id).await.worker, drained);
    }
    let ended = fleet.ended(&slow).await;
    assert_eq!((ended.state(), ended.attempts.len()), (TaskState::Completed, 1));

    let other = if drained == "worker-0" { "worker-1" } else { "worker-0" };
    drain(&fleet, other, true).await.unwrap();
    let waits = fleet.submit("waits").await;
    let waiting = fleet.get(&waits).await.waiting.unwrap();
    assert!(waiting.detail.contains("2 drained by an operator"), "{}", waiting.detail);
    let boot_id = worker(&fleet, &drained).await.unwrap().boot_id;
    let back = drain(&fleet, &boot_id, false).await.unwrap();
    assert_eq!((back.name.as_str(), back.state()), (drained.as_str(), WorkerState::Ready));
    assert_eq!(fleet.ended(&waits).await.attempts[0].worker, drained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_holds_for_the_process_over_the_supervisors_death_and_ends_with_the_process() {
    let mut fleet = Fleet::start(1).await;
    drain(&fleet, "worker-0", true).await.unwrap();
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    until_drained_by_an_operator(&fleet, "worker-0").await;
    fleet.worker(0).restart().await;
    fleet.until_ready(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_of_a_worker_that_hangs_holds_when_it_wakes_and_joins_again() {
    let plan = Plan::new(1).supervisor("PROBE_INTERVAL_MS", "200");
    let fleet = plan.supervisor("PROBE_TIMEOUT_MS", "200").start().await;
    let mut fleet = fleet;
    fleet.worker(0).stop();
    drain(&fleet, "worker-0", true).await.unwrap();
    until("it is lost", || async { fleet.workers().await.is_empty().then_some(()) }).await;
    fleet.worker(0).cont();
    until_drained_by_an_operator(&fleet, "worker-0").await;
    drain(&fleet, "worker-0", false).await.unwrap();
    fleet.until_ready(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_not_one_workers_is_refused_in_words() {
    let fleet = Plan::new(2).worker_variable("TASKFLEET_WORKER__NAME", "twin").start().await;
    let refused = async |worker: &str| drain(&fleet, worker, true).await.unwrap_err();
    let empty = refused("").await;
    assert_eq!(empty.code(), Code::InvalidArgument);
    assert!(empty.message().starts_with("worker: "), "{}", empty.message());
    assert_eq!(refused("nobody").await.code(), Code::NotFound);
    let ambiguous = refused("twin").await;
    assert_eq!(ambiguous.code(), Code::FailedPrecondition);
    for worker in fleet.workers().await {
        assert!(ambiguous.message().contains(&worker.boot_id), "{}", ambiguous.message());
        assert_eq!(worker.state(), WorkerState::Ready, "nothing was drained");
    }
}
