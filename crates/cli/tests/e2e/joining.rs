//! Who may join the fleet, and what those hear who may not.

use taskfleet_core::BootId;
use taskfleet_proto::v1::{RegisterRequest, TaskState};
use tonic::Code;
use tonic_types::StatusExt;

use tokio::net::TcpListener;

use crate::fleet::{Fleet, Plan, Relay, until};

/// A registration that leads nowhere but says nothing wrong.
fn registration() -> RegisterRequest {
    RegisterRequest {
        name: "stranger".into(),
        address: "127.0.0.1:1".into(),
        boot_id: BootId::from_random([7; 16]).to_string(),
        protocol_min: 1,
        protocol_max: 1,
        slots: 1,
        ..RegisterRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_workers_with_the_join_token_join_and_no_log_shows_it() {
    let plan = Plan::new(1).supervisor("JOIN_TOKEN", "open-sesame-9187");
    let plan = plan.worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", "open-sesame-9187");
    let fleet = plan.start().await;
    for (token, words) in [("", "is missing"), ("open-barley-5521", "is not the one")] {
        let request = RegisterRequest { join_token: token.into(), ..registration() };
        let status = fleet.registry().register(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let message = status.message();
        assert!(message.starts_with("join_token: ") && message.contains(words), "{message}");
        assert!(!message.contains("open-"), "{message}");
    }
    let id = fleet.submit("hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    for process in ["supervisor", "worker-0"] {
        let log = fleet.log(process);
        assert!(!log.is_empty() && !log.contains("open-"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_nobody_demands_is_ignored() {
    let plan = Plan::new(1).worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", "open-sesame-9187");
    let fleet: Fleet = plan.start().await;
    assert!(fleet.log("supervisor").contains("a worker sent a join token; none is demanded"));
}

async fn refused(fleet: &Fleet, request: RegisterRequest) -> tonic::Status {
    fleet.registry().register(request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_says_something_wrong_is_refused_and_every_field_is_named() {
    let fleet = Fleet::start(0).await;
    let wrong = RegisterRequest {
        slots: 10_001,
        address: "127.0.0.1:0".into(),
        boot_id: "me".into(),
        name: "n".repeat(129),
        max_request_bytes: 7,
        ..registration()
    };
    let status = refused(&fleet, wrong).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let named: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(named, ["slots", "max_request_bytes", "name", "address", "boot_id"]);

    let later = RegisterRequest { protocol_min: 7, protocol_max: 9, ..registration() };
    let status = refused(&fleet, later).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("7 to 9"), "{}", status.message());
    let upside_down = RegisterRequest { protocol_min: 2, ..registration() };
    assert_eq!(refused(&fleet, upside_down).await.code(), Code::InvalidArgument);

    let status = refused(&fleet, registration()).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().starts_with("address: "), "{}", status.message());
    assert!(fleet.workers().await.is_empty(), "nobody joined");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_to_another_worker_is_refused_and_leaves_that_worker_alone() {
    let mut fleet = Fleet::start(1).await;
    let address = fleet.worker(0).address().to_owned();
    let status = refused(&fleet, RegisterRequest { address, ..registration() }).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("another process answers"), "{}", status.message());
    let id = fleet.submit("hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_behind_one_load_balancer_are_refused_in_words() {
    let mut fleet = Fleet::start(0).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let balanced = listener.local_addr().unwrap().to_string();
    let advertise = [("TASKFLEET_WORKER__ADVERTISE", balanced.as_str())];
    for _ in 0..2 {
        fleet.add_worker_with(&advertise).await;
    }
    let backends = vec![fleet.worker(0).address().into(), fleet.worker(1).address().into()];
    let _balancer = Relay::start(listener, backends);
    for name in ["worker-0", "worker-1"] {
        until("the worker says that it is refused", || async {
            let log = fleet.log(name);
            let told = log.contains("different processes in turn")
                || log.contains("another process answers");
            (told && log.contains("refuses this worker")).then_some(())
        })
        .await;
    }
    // One that tries again is listed while it is dialled back; none was ever connected.
    let known = fleet.workers().await;
    assert!(known.iter().all(|worker| worker.since_heard.is_none()), "{known:?}");
}
