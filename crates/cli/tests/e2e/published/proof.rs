//! Whom the supervisor's key is handed to: the process that was found when it was registered
//! with the join token, and no other that answers at its address.

use taskfleet_proto::v1::{
    DeregisterRequest, HeartbeatRequest, RegisterRequest, RegisterResponse, Worker, WorkerState,
};
use tonic::Code;

use super::{quick, submit};
use crate::fleet::{Fleet, Plan, until};

const TOKEN: &str = "t-1";

fn handing_over() -> Plan {
    let plan = Plan::new(0).supervisor("JOIN_TOKEN", TOKEN).supervisor("HAND_OVER_API_KEY", "true");
    plan.supervisor_variable("OPENAI_API_KEY", "hunter2-4711")
}

async fn register(fleet: &mut Fleet, slots: u32) -> RegisterResponse {
    let address = fleet.published(0).address().to_owned();
    let join_token = TOKEN.to_owned();
    let request = RegisterRequest { address, slots, join_token, ..RegisterRequest::default() };
    fleet.registry().register(request).await.unwrap().into_inner()
}

async fn until_only(fleet: &Fleet, what: &str, wanted: impl Fn(&Worker) -> bool) -> Worker {
    until(what, || async { fleet.workers().await.into_iter().find(&wanted) }).await
}

/// What a worker says that tells with which key it was called.
async fn told(fleet: &Fleet) -> String {
    let id = submit(fleet, quick("[do:key]")).await;
    fleet.ended(&id).await.result.unwrap().error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_listed_address_a_registration_holds_for_one_connection() {
    let mut fleet = handing_over().listed(2).start().await;
    assert_eq!(told(&fleet).await, "called with <>");
    let registered = register(&mut fleet, 5).await;
    let first = until_only(&fleet, "it has five slots", |worker| worker.slots == 5).await;
    assert_eq!(told(&fleet).await, "called with <[key]>", "and the key is not shown");

    let registration_id = registered.registration_id;
    let leave = DeregisterRequest { registration_id, ..DeregisterRequest::default() };
    fleet.registry().deregister(leave).await.unwrap();
    until_only(&fleet, "it leaves", |worker| worker.state() == WorkerState::Draining).await;
    fleet.published(0).restart().await;
    let next = until_only(&fleet, "another is ready", |worker| {
        worker.state() == WorkerState::Ready && worker.boot_id != first.boot_id
    });
    assert_eq!(next.await.slots, 2, "as it is listed");
    assert_eq!(told(&fleet).await, "called with <>");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_process_at_a_registered_address_gets_no_key_before_it_registers() {
    let mut fleet = handing_over().start().await;
    fleet.add_published().await;
    let registration_id = register(&mut fleet, 2).await.registration_id;
    fleet.until_ready(1).await;
    assert_eq!(told(&fleet).await, "called with <[key]>");
    let first = fleet.workers().await.remove(0);

    fleet.published(0).restart().await;
    let next = until_only(&fleet, "another answers", |worker| {
        !worker.boot_id.is_empty() && worker.boot_id != first.boot_id
    });
    let next = next.await;
    assert_eq!((next.slots, next.state()), (0, WorkerState::Connecting), "{}", next.detail);
    let beat = HeartbeatRequest { registration_id, slots: 2, ..HeartbeatRequest::default() };
    let unknown = fleet.registry().heartbeat(beat).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    register(&mut fleet, 2).await;
    fleet.until_ready(1).await;
    assert_eq!(told(&fleet).await, "called with <[key]>");
}
