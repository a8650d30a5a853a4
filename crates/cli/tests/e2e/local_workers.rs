//! Workers that the supervisor starts on its own machine.

use std::{collections::BTreeSet, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use taskfleet_proto::v1::{
    GetStatsRequest, LocalProcess, RegisterRequest, TaskState, Worker, WorkerState,
};

use crate::{
    fleet::{Fleet, Plan, until, until_within},
    stale_store::workers_of,
};

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// A fleet of two, which notices quickly what hangs.
async fn start() -> Fleet {
    let plan = Plan::new(0).local_workers(2).supervisor("PROBE_INTERVAL_MS", "300");
    plan.supervisor("PROBE_TIMEOUT_MS", "300").start().await
}

fn pids(workers: &[Worker]) -> BTreeSet<u32> {
    workers.iter().map(|worker| worker.local_pid).collect()
}

fn boot_ids(workers: &[Worker]) -> BTreeSet<String> {
    workers.iter().map(|worker| worker.boot_id.clone()).collect()
}

async fn until_replaced(fleet: &Fleet, gone: &Worker) -> Worker {
    until("another worker has taken the place", || async {
        let workers = fleet.workers().await;
        let mut ready = workers.into_iter().filter(|worker| worker.state() == WorkerState::Ready);
        ready.find(|worker| worker.name == gone.name && worker.boot_id != gone.boot_id)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_as_are_wanted_serve_and_one_that_dies_is_replaced() {
    let fleet = start().await;
    let workers = fleet.workers().await;
    let names: Vec<&str> = workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["local-1", "local-2"]);
    signal(workers[0].local_pid, Signal::KILL);
    until_replaced(&fleet, &workers[0]).await;
    fleet.until_ready(2).await;
    let id = fleet.submit("hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    assert_eq!(fleet.worker_processes().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_is_killed_and_replaced() {
    let fleet = start().await;
    let hung = fleet.workers().await.remove(0);
    signal(hung.local_pid, Signal::STOP);
    let fresh = until_replaced(&fleet, &hung).await;
    assert_ne!(fresh.local_pid, hung.local_pid);
    fleet.until_ready(2).await;
    let living = fleet.worker_processes();
    assert_eq!(living.len(), 2, "the one that hung is gone");
    assert!(!living.contains(&hung.local_pid.cast_signed()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_outlive_a_killed_supervisor_and_serve_its_successor_without_a_repeated_call() {
    let mut fleet = start().await;
    let before = fleet.workers().await;
    let id = fleet.submit("hello [sim:ok,deltas=60,delay=50]").await;
    until("the model was called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    fleet.until_ready(2).await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), fleet.calls().await.total), (TaskState::Completed, 1));
    let after = fleet.workers().await;
    assert_eq!((boot_ids(&after), pids(&after)), (boot_ids(&before), pids(&before)));
    assert_eq!(fleet.worker_processes().len(), 2, "none was started beside them");

    // The successor watches over those that it has not started itself.
    signal(after[1].local_pid, Signal::KILL);
    until_replaced(&fleet, &after[1]).await;
    fleet.until_ready(2).await;
    assert_eq!(fleet.worker_processes().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_is_asked_to_stop_leaves_them_to_its_successor() {
    let mut fleet = start().await;
    let before = boot_ids(&fleet.workers().await);
    fleet.supervisor().terminate();
    assert!(fleet.supervisor().ended().await.success());
    assert_eq!(fleet.worker_processes().len(), 2);
    fleet.supervisor().restart().await;
    fleet.until_ready(2).await;
    assert_eq!(boot_ids(&fleet.workers().await), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_wants_none_ends_those_of_its_predecessor_at_once() {
    let mut fleet = start().await;
    assert_eq!(fleet.worker_processes().len(), 2);
    fleet.supervisor().kill();
    fleet.supervisor().set("TASKFLEET_SUPERVISOR__LOCAL_WORKERS", "0");
    fleet.supervisor().restart().await;
    until_within(Duration::from_secs(20), "none is left", || async {
        fleet.worker_processes().is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn supervisors_of_a_store_and_of_its_copy_on_one_machine_have_each_their_own() {
    let fleet = start().await;
    let before = fleet.workers().await;
    fleet.back_up("copy.db").await;
    let mut beside = fleet.start_beside("copy.db").await;
    let copies = until("the copy's supervisor has its own", || async {
        let workers = workers_of(&beside).await;
        let ready = workers.iter().filter(|worker| worker.state() == WorkerState::Ready);
        (ready.count() == 2).then_some(workers)
    })
    .await;
    assert!(pids(&copies).is_disjoint(&pids(&before)), "{copies:?}");
    assert_eq!(fleet.worker_processes().len(), 4);

    // One that wants none ends its own and no other.
    beside.set_variable("TASKFLEET_SUPERVISOR__LOCAL_WORKERS", "0");
    beside.restart().await;
    until_within(Duration::from_secs(20), "the copy's are gone", || async {
        let living = fleet.worker_processes();
        pids(&copies).iter().all(|pid| !living.contains(&pid.cast_signed())).then_some(())
    })
    .await;
    let after = fleet.workers().await;
    assert_eq!((boot_ids(&after), pids(&after)), (boot_ids(&before), pids(&before)));
    assert_eq!(fleet.worker_processes().len(), 2);
    let id = fleet.submit("hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_only_a_local_workers_process_id_is_not_taken_for_it() {
    let fleet = Plan::new(1).local_workers(1).start().await;
    let (local, stranger) = match &fleet.workers().await[..] {
        [one, other] if one.local_pid != 0 => (one.clone(), other.clone()),
        [one, other] => (other.clone(), one.clone()),
        others => panic!("two workers: {others:?}"),
    };
    let stats = fleet.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner();
    for proof in ["", "0123456789abcdef0123456789abcdef"] {
        let said = LocalProcess {
            store_id: stats.store_id.clone(),
            number: 1,
            pid: local.local_pid,
            proof: proof.to_owned(),
        };
        let request = RegisterRequest {
            address: stranger.address.clone(),
            boot_id: stranger.boot_id.clone(),
            slots: 7,
            local: Some(said),
            ..RegisterRequest::default()
        };
        fleet.registry().register(request).await.unwrap();
        let workers = fleet.workers().await;
        let known = workers.iter().find(|worker| worker.boot_id == stranger.boot_id).unwrap();
        assert_eq!((known.slots, known.local_pid), (7, 0));
    }
}
