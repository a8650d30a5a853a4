//! Registering, heartbeats, and taking leave.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use taskfleet_proto::v1::Verdict;
use taskfleet_worker::{Settings, Stop};
use tokio::net::TcpListener;
use tonic::Status;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{FakeSupervisor, Heard, Rig, bounded, code, localhost, settings, store, task};

#[tokio::test]
async fn a_worker_says_who_it_is_and_how_busy_and_takes_leave() {
    let mut registry = FakeSupervisor::start().await;
    let settings = Settings {
        supervisor: registry.address.clone(),
        join_token: Some("letmein".into()),
        models: vec!["m".into()],
        slots: 3,
        ..settings()
    };
    let mut rig = Rig::start_with(settings).await;
    let request = registry.register().await;
    assert_eq!(request.boot_id, rig.boot_id);
    assert_eq!(request.address, rig.address.to_string());
    assert_eq!((request.slots, request.heartbeats), (3, true));
    assert_eq!(
        (request.join_token.as_str(), request.models.as_slice()),
        ("letmein", &["m".into()][..])
    );
    assert!(request.name.ends_with(&rig.boot_id[..8]), "{}", request.name);
    assert!(request.account.len() == 12 && request.max_request_bytes > 16 << 20);

    let supervisor = rig.supervisor().await;
    let running = supervisor.start(1, 1, "[sim:hang]").await;
    registry.heartbeat(|beat| beat.slots_in_use == 1 && beat.registration_id == "r1").await;
    drop(running);
    let mut supervisor = supervisor;
    supervisor.cancel(1, 1).await.unwrap();
    registry.heartbeat(|beat| beat.slots_in_use == 0 && beat.held == 0).await;
    rig.ask_to_stop(Stop::Clean);
    loop {
        if let Heard::Deregister(request) = registry.next().await {
            assert_eq!(request.boot_id, rig.boot_id);
            break;
        }
    }
    rig.stopped().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_listens_everywhere_is_reached_where_it_calls_from() {
    let mut registry = FakeSupervisor::start().await;
    let supervisor = registry.address.clone();
    let grpc_listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let rig = Rig::start_with(Settings { supervisor, grpc_listen, ..settings() }).await;
    let request = registry.register().await;
    assert_eq!(request.address, format!(":{}", rig.address.port()));
}

#[tokio::test]
async fn draining_is_told_at_once_and_what_is_held_keeps_a_worker_from_leaving() {
    let mut registry = FakeSupervisor::start().await;
    let supervisor = registry.address.clone();
    let mut rig = Rig::start_with(Settings { supervisor, ..settings() }).await;
    registry.register().await;
    let supervisor = rig.supervisor().await;
    supervisor.start(1, 1, "x").await.last().await;
    registry.heartbeat(|beat| beat.held == 1).await;
    rig.ask_to_stop(Stop::Quick);
    registry.heartbeat(|beat| beat.draining).await;
    rig.stopped().await.unwrap();
    while let Some(heard) = registry.heard.recv().await {
        assert!(!matches!(heard, Heard::Deregister(_)));
        if registry.heard.is_empty() {
            break;
        }
    }
}

#[tokio::test]
async fn an_unknown_or_refused_registration_is_made_again() {
    let mut registry = FakeSupervisor::start().await;
    *registry.refuse.lock().await = Some(Status::unauthenticated("the join token is wrong"));
    let supervisor = registry.address.clone();
    let _rig = Rig::start_with(Settings { supervisor, ..settings() }).await;
    registry.register().await;
    registry.register().await;
    registry.heartbeat(|_| true).await;
    *registry.refuse.lock().await = Some(Status::not_found("no such registration"));
    registry.register().await;
    registry.heartbeat(|_| true).await;
}

#[tokio::test]
async fn a_supervisor_that_comes_late_is_found() {
    // The port is free when the worker starts and taken a moment later.
    let listener = TcpListener::bind(localhost()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let _rig = Rig::start_with(Settings { supervisor: address.to_string(), ..settings() }).await;
    FakeSupervisor::start_at(address).await.register().await;
}

#[tokio::test]
async fn a_worker_that_is_to_end_without_a_supervisor_does() {
    let exit_without_supervisor = Some(Duration::from_millis(200));
    let rig = Rig::start_with(Settings { exit_without_supervisor, ..settings() }).await;
    rig.stopped().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_to_end_without_a_supervisor_first_keeps_what_was_paid_for() {
    let exit_without_supervisor = Some(Duration::from_millis(300));
    let rig = Rig::start_with(Settings { exit_without_supervisor, ..settings() }).await;
    let mut supervisor = rig.supervisor().await;
    // Longer than the pauses between its tries to register, at each of which it could end.
    let outcome = supervisor.start(1, 1, "[sim:ok,latency=3000]").await.last().await;
    assert!(outcome.text().starts_with("digest:"));
    supervisor.settle(1, 1, Verdict::Settled).await.unwrap();
    rig.stopped().await.unwrap();
}

#[tokio::test]
async fn a_refused_worker_is_not_ready_until_it_is_taken() {
    let mut registry = FakeSupervisor::start().await;
    let words = "join_token: is not the one that this supervisor demands";
    *registry.refuse.lock().await = Some(Status::unauthenticated(words));
    let rig = Rig::start_with(Settings { supervisor: registry.address.clone(), ..settings() });
    let rig = rig.await;
    let mut health = HealthClient::new(rig.link().await.channel());
    let request = HealthCheckRequest { service: String::new() };
    let mut readiness = health.watch(request).await.unwrap().into_inner();
    // Told states may be passed over, but not the one that lasts.
    registry.register().await;
    registry.heartbeat(|_| true).await;
    while bounded(readiness.message()).await.unwrap().unwrap().status() != ServingStatus::Serving {}

    *registry.refuse.lock().await = Some(Status::not_found("no such registration"));
    registry.heartbeat(|_| true).await;
    *registry.refuse.lock().await = Some(Status::unauthenticated(words));
    let hold = registry.refuse.clone();
    registry.register().await;
    let _refused_for_now = hold.lock().await;
    while bounded(readiness.message()).await.unwrap().unwrap().status() != ServingStatus::NotServing
    {
    }
}

#[tokio::test]
async fn an_adopt_that_means_another_process_does_not_take_this_one_over() {
    let rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    let answer = supervisor.adopt_as(store(2), &task(9)).await.unwrap();
    assert_eq!((answer.boot_id, answer.held.len()), (rig.boot_id.clone(), 0));
    supervisor.start(1, 1, "x").await.last().await;
}

#[tokio::test]
async fn a_worker_keeps_in_mind_that_it_is_drained_for_its_own_supervisor_only() {
    let rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    assert!(!supervisor.adopt().await.unwrap().drained);
    supervisor.set_drained(true).await.unwrap();
    assert!(supervisor.adopt().await.unwrap().drained);
    let stranger = supervisor.adopt_as(store(2), "").await.unwrap();
    assert!(!stranger.drained, "another fleet's operator said so");
    assert_eq!(code(supervisor.set_drained(false).await), tonic::Code::FailedPrecondition);
}
