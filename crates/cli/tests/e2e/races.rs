//! Interleavings that once lost something, each kept as a test.

use std::time::Duration;

use futures::future::join_all;
use taskfleet_core::BootId;
use taskfleet_proto::v1::{
    CancelTaskRequest, RegisterRequest, SubmitTasksRequest, TaskSpec, TaskState,
};

use crate::fleet::{Fleet, Plan, until, until_within};

async fn submit_many(fleet: &Fleet, count: usize, spec: impl Fn(usize) -> TaskSpec) -> Vec<String> {
    let tasks = (0..count).map(spec).collect();
    let answer = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    answer.into_inner().tasks.into_iter().map(|task| task.task_id).collect()
}

fn prompt(content: String) -> TaskSpec {
    TaskSpec { content, ..TaskSpec::default() }
}

/// The sweep mends what a race breaks. Without it only what is right from the start holds.
fn without_sweep(workers: usize) -> Plan {
    Plan::new(workers).supervisor("SWEEP_SECONDS", "3600")
}

async fn until_nothing_runs(fleet: &Fleet) {
    // Longer than it takes, for other tests load the machine meanwhile.
    let soon = Duration::from_secs(10);
    until_within(soon, "no call is open and no slot in use", || async {
        let in_use: u32 = fleet.workers().await.iter().map(|worker| worker.slots_in_use).sum();
        (fleet.calls().await.open == 0 && in_use == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_workers_streams_go_on_elsewhere_and_it_serves_again_when_it_wakes() {
    let plan = without_sweep(2).worker_variable("TASKFLEET_WORKER__SLOTS", "4");
    let mut fleet = plan.start().await;
    let ids =
        submit_many(&fleet, 4, |n| prompt(format!("{n} [sim:ok,deltas=120,delay=100]"))).await;
    until("all are called", || async { (fleet.calls().await.open == 4).then_some(()) }).await;
    let name = fleet.get(&ids[0]).await.worker;
    let hung = fleet.index_of(&name);
    fleet.worker(hung).stop();
    until("the hung worker's tasks are taken from it", || async {
        let tasks = join_all(ids.iter().map(|id| fleet.get(id))).await;
        tasks.iter().all(|task| task.worker != name).then_some(())
    })
    .await;
    fleet.worker(hung).cont();
    fleet.until_ready(2).await;
    for id in &ids {
        assert_eq!(fleet.ended(id).await.state(), TaskState::Completed);
    }
    until_nothing_runs(&fleet).await;
    let after = submit_many(&fleet, 8, |n| prompt(format!("after {n}"))).await;
    for id in &after {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Completed);
        assert_eq!(task.counters.unwrap().requeues, 0, "its slots are counted right");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_whose_client_hangs_up_still_ends_the_call() {
    let plan = without_sweep(1).worker_variable("TASKFLEET_WORKER__SLOTS", "200");
    let fleet = plan.start().await;
    let ids = submit_many(&fleet, 150, |n| prompt(format!("{n} [sim:hang]"))).await;
    until("all are called", || async { (fleet.calls().await.open == 150).then_some(()) }).await;
    let hang_up = |(n, id): (usize, &String)| {
        let (mut client, task_id) = (fleet.tasks(), id.clone());
        async move {
            let patience = Duration::from_micros(200 * n as u64);
            let cancel = client.cancel_task(CancelTaskRequest { task_id, ..Default::default() });
            tokio::time::timeout(patience, cancel).await.is_ok()
        }
    };
    join_all(ids.iter().enumerate().map(hang_up)).await;
    for id in &ids {
        let request = CancelTaskRequest { task_id: id.clone(), ..Default::default() };
        fleet.tasks().cancel_task(request).await.unwrap();
    }
    until_nothing_runs(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_meets_the_start_of_its_task_leaves_no_call_behind() {
    let plan = without_sweep(0).worker_variable("TASKFLEET_WORKER__SLOTS", "1000");
    let mut fleet = plan.start().await;
    let ids = submit_many(&fleet, 600, |n| prompt(format!("{n} [sim:hang]"))).await;
    fleet.add_worker().await;
    until("they are being started", || async { (fleet.calls().await.total > 0).then_some(()) })
        .await;
    let cancels = ids.iter().map(|id| {
        let (mut client, task_id) = (fleet.tasks(), id.clone());
        async move {
            client.cancel_task(CancelTaskRequest { task_id, ..Default::default() }).await.unwrap()
        }
    });
    join_all(cancels).await;
    until_nothing_runs(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_gives_up_registering_can_register_again() {
    let fleet = Fleet::start(0).await;
    // Accepts, for the kernel does, and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = |address: String| RegisterRequest {
        name: "late".into(),
        address,
        boot_id: BootId::from_random([7; 16]).to_string(),
        protocol_min: 1,
        protocol_max: 1,
        slots: 1,
        ..RegisterRequest::default()
    };
    let mut registry = fleet.registry();
    let address = silent.local_addr().unwrap().to_string();
    let first = registry.register(request(address));
    let hung_up = tokio::time::timeout(Duration::from_millis(300), first).await;
    assert!(hung_up.is_err(), "the worker gave up first");
    drop(silent);
    let refused = until("the first dial is over", || async {
        let answer = registry.clone().register(request("127.0.0.1:1".into())).await;
        answer.err().filter(|status| status.code() == tonic::Code::FailedPrecondition)
    })
    .await;
    assert!(refused.message().contains("127.0.0.1:1"), "{}", refused.message());
    assert!(fleet.workers().await.is_empty(), "nobody is dialled for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_nobody_can_take_hold_up_nobody_else() {
    let fleet = Plan::new(1).worker_variable("TASKFLEET_WORKER__MODELS", "small").start().await;
    let of = |model: &str| TaskSpec { model: model.to_owned(), ..prompt("hello".into()) };
    let stuck = submit_many(&fleet, 1_100, |_| of("nope")).await;
    let ids = submit_many(&fleet, 20, |_| of("small")).await;
    for id in &ids {
        assert_eq!(fleet.ended(id).await.state(), TaskState::Completed);
    }
    let waiting = fleet.get(&stuck[0]).await.waiting.unwrap();
    assert!(waiting.detail.contains("nope"), "{}", waiting.detail);
}
