//! A clean stop loses nothing.

use std::time::Duration;

use taskfleet_core::{failure::Delivery, outcome::End};
use taskfleet_proto::{v1::Verdict, worker::TaskRequest};
use taskfleet_worker::{Settings, Stop};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Rig, code, settings};

async fn health(rig: &Rig, service: &str) -> ServingStatus {
    let mut client = HealthClient::new(rig.link().await.channel());
    let request = HealthCheckRequest { service: service.into() };
    client.check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn a_worker_is_ready_once_it_listens() {
    let rig = Rig::start().await;
    for name in ["", "worker.WorkerService", "taskfleet.v1.WorkerControl", "live"] {
        assert_eq!(health(&rig, name).await, ServingStatus::Serving, "{name}");
    }
}

#[tokio::test]
async fn what_runs_may_end_within_the_grace_and_nothing_new_starts() {
    let mut rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    let stream = supervisor.start(1, 1, "[sim:ok,latency=400]").await;
    rig.until_open(1, 1).await;
    rig.ask_to_stop(Stop::Clean);
    while health(&rig, "").await == ServingStatus::Serving {}
    assert_eq!(health(&rig, "live").await, ServingStatus::Serving);
    let refused = supervisor.send(supervisor.request(2, 1, "x")).await;
    assert_eq!(code(refused), Code::Unavailable);
    let unleased = TaskRequest { content: "x".into(), ..TaskRequest::default() };
    assert_eq!(code(supervisor.send(unleased).await), Code::Unavailable);
    assert!(stream.last().await.text().starts_with("digest:"));
    supervisor.settle(1, 1, Verdict::Settled).await.unwrap();
    rig.stopped().await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_handed_back_with_what_is_known_of_it() {
    let grace = Duration::from_millis(50);
    let mut rig = Rig::start_with(Settings { shutdown_grace: grace, ..settings() }).await;
    let mut supervisor = rig.supervisor().await;
    let silent = supervisor.start(1, 1, "[sim:hang]").await;
    let mut begun = supervisor.start(2, 1, "[sim:hangmid]").await;
    let unleased = TaskRequest { content: "[sim:hang]".into(), ..TaskRequest::default() };
    let unleased = supervisor.send(unleased).await.unwrap();
    begun.delta().await;
    rig.until_open(3, 3).await;
    rig.ask_to_stop(Stop::Clean);
    let expected =
        [(silent, Delivery::Sent), (begun, Delivery::ResponseStarted), (unleased, Delivery::Sent)];
    for (stream, delivery) in expected {
        let last = stream.last().await;
        assert_eq!((&last.outcome.end, last.call().delivery), (&End::Released, delivery));
    }
    for number in [1, 2] {
        supervisor.settle(number, 1, Verdict::Settled).await.unwrap();
    }
    rig.until_open(3, 0).await;
    rig.stopped().await.unwrap();
}

#[tokio::test]
async fn a_quick_stop_waits_for_nobody() {
    let mut rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let stream = supervisor.start(1, 1, "[sim:hang]").await;
    rig.until_open(1, 1).await;
    let asked = tokio::time::Instant::now();
    rig.ask_to_stop(Stop::Quick);
    assert_eq!(stream.last().await.outcome.end, End::Released);
    rig.stopped().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5));
}
