//! How such a worker comes into the fleet: listed as an address, or registered by anyone.

use taskfleet_proto::v1::{
    DeregisterRequest, HeartbeatRequest, RegisterRequest, TaskState, Worker, WorkerState,
};
use tonic::Code;

use super::until_said;
use crate::fleet::{Fleet, Plan, until};

/// Long enough to be interrupted: three seconds.
const LONG: &str = "hello [sim:ok,deltas=100,delay=30]";

/// An address at which nobody listens yet.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn until_worker(fleet: &Fleet, what: &str, wanted: impl Fn(&Worker) -> bool) -> Worker {
    until(what, || async {
        let mut workers = fleet.workers().await;
        let only = (workers.len() == 1).then(|| workers.remove(0));
        only.filter(&wanted)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_address_is_shown_while_nobody_answers_and_joins_when_somebody_does() {
    let mut fleet = Plan::new(0).listed(3).start().await;
    let ready = until_worker(&fleet, "it is ready", |worker| worker.is_static).await;
    assert_eq!((ready.slots, ready.state()), (3, WorkerState::Ready));
    fleet.published(0).kill();
    let away = until_worker(&fleet, "its address is still listed", |worker| {
        worker.is_static && worker.state() == WorkerState::Connecting && !worker.detail.is_empty()
    });
    assert!(away.await.boot_id.is_empty());
    fleet.published(0).restart().await;
    let again = until_worker(&fleet, "it is back", |worker| worker.state() == WorkerState::Ready);
    assert_ne!(again.await.boot_id, ready.boot_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anyone_registers_it_and_its_connection_may_break() {
    let mut fleet = Plan::new(0).start().await;
    let index = fleet.add_published().await;
    let address = fleet.published(index).address().to_owned();
    let request =
        RegisterRequest { name: "foreign".into(), address, slots: 2, ..RegisterRequest::default() };
    let registered = fleet.registry().register(request.clone()).await.unwrap().into_inner();
    assert_eq!(registered.protocol, 0, "the published messages have no versions");
    fleet.until_ready(1).await;
    let id = fleet.submit("hello").await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.attempts[0].worker.as_str()), (TaskState::Completed, "foreign"));

    fleet.published(index).restart().await;
    until_worker(&fleet, "it is dialled again", |worker| worker.state() == WorkerState::Ready)
        .await;
    let id = fleet.submit("again").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);

    // Registered again it is no second worker, and what was said last holds.
    let more = RegisterRequest { slots: 5, ..request };
    let again = fleet.registry().register(more).await.unwrap().into_inner();
    until_worker(&fleet, "it has five slots", |worker| worker.slots == 5 && !worker.is_static)
        .await;
    let beat = |registration_id: String| HeartbeatRequest {
        registration_id,
        slots: 4,
        ..HeartbeatRequest::default()
    };
    let old = fleet.registry().heartbeat(beat(registered.registration_id)).await;
    assert_eq!(old.unwrap_err().code(), Code::NotFound);
    fleet.registry().heartbeat(beat(again.registration_id.clone())).await.unwrap();
    until_worker(&fleet, "it has four slots", |worker| worker.slots == 4).await;

    let leave = DeregisterRequest {
        registration_id: again.registration_id.clone(),
        ..DeregisterRequest::default()
    };
    fleet.registry().deregister(leave).await.unwrap();
    until_worker(&fleet, "it gets nothing more", |w| w.state() == WorkerState::Draining).await;
    fleet.published(index).kill();
    until("it is forgotten", || async { fleet.workers().await.is_empty().then_some(()) }).await;
    let gone = fleet.registry().heartbeat(beat(again.registration_id)).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_announces_leases_and_serves_none_is_refused_in_words() {
    let mut fleet = Plan::new(0).listed(1).start().await;
    let request = RegisterRequest {
        address: fleet.published(0).address().to_owned(),
        boot_id: "0190b6f0-7f3c-4c3a-9d5e-2f6a1c0b4e21".into(),
        protocol_min: 1,
        protocol_max: 1,
        features: vec!["leases".into()],
        slots: 2,
        ..RegisterRequest::default()
    };
    let refused = fleet.registry().register(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("WorkerControl"), "{}", refused.message());
    assert_eq!(fleet.workers().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_worker_of_ours_is_a_whole_one_and_keeps_its_calls() {
    let address = free_address();
    let plan = Plan::new(1).supervisor("STATIC_WORKERS", &address);
    let plan = plan.worker_variable("TASKFLEET_WORKER__GRPC_LISTEN", &address);
    // It registers nowhere: that its address is listed is all.
    let plan = plan.worker_variable("TASKFLEET_WORKER__SUPERVISOR", "127.0.0.1:1");
    let mut fleet = plan.start().await;
    let worker = until_worker(&fleet, "it is listed", |worker| worker.is_static).await;
    assert_eq!((worker.slots, worker.features.len()), (1, 3));
    let id = fleet.submit(LONG).await;
    until("the model was called", || async { (fleet.calls().await.open == 1).then_some(()) }).await;
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), fleet.calls().await.total), (TaskState::Completed, 1));
    until_worker(&fleet, "it takes work again", |w| w.state() == WorkerState::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_and_registered_it_is_one_worker_with_the_slots_that_it_says() {
    let address = free_address();
    let plan = Plan::new(1).supervisor("STATIC_WORKERS", &address);
    let plan = plan.worker_variable("TASKFLEET_WORKER__GRPC_LISTEN", &address);
    let mut fleet = plan.start().await;
    let both = |worker: &Worker| {
        worker.is_static && worker.slots == 64 && worker.state() == WorkerState::Ready
    };
    let first = until_worker(&fleet, "it is one worker", both).await;
    fleet.worker(0).restart().await;
    let next = until_worker(&fleet, "its next process is one worker too", |worker| {
        both(worker) && worker.boot_id != first.boot_id
    });
    assert_eq!(next.await.name, "worker-0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_mixed_fleet_everything_completes_once() {
    let fleet = Plan::new(1).listed(4).listed(4).start().await;
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(fleet.submit(&format!("{n} [do:work,wait=20,done] [sim:ok]")).await);
    }
    let mut by_worker = std::collections::BTreeSet::new();
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1));
        by_worker.insert(task.attempts[0].worker.clone());
    }
    assert_eq!(by_worker.len(), 3, "each had its share: {by_worker:?}");
    for worker in ["published-0", "published-1"] {
        let log = fleet.log(worker);
        let done = ids.iter().find(|id| log.contains(id.as_str())).unwrap();
        until_said(&fleet, worker, "ended", done).await;
    }
}
