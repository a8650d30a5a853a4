//! Each (task, lease) runs once, and only for who serves.

use taskfleet_core::outcome::End;
use taskfleet_proto::{
    v1::{HeldState, Verdict},
    worker::TaskRequest,
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{Rig, Supervisor, code, settings, store};

#[tokio::test]
async fn a_lease_runs_once_however_often_it_is_asked_for() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let supervisor = supervisor.clone();
        asking.spawn(async move {
            let mut stream = supervisor.start(1, 1, "[sim:ok,latency=200]").await;
            stream.started().await;
            stream
        });
    }
    asking.join_all().await;
    let last = supervisor.send(supervisor.attach(1, 1, 0)).await.unwrap().last().await;
    assert!(last.text().starts_with("digest:"));
    assert_eq!(rig.calls().await["total"], 1);
}

#[tokio::test]
async fn what_is_not_held_is_not_found_and_never_starts() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    assert_eq!(code(supervisor.send(supervisor.attach(1, 5, 0)).await), Code::NotFound);
    assert_eq!(code(supervisor.send(supervisor.request(1, 5, "x")).await), Code::Aborted);
    supervisor.start(1, 6, "x").await.last().await;
    assert_eq!(rig.calls().await["total"], 1);
}

#[tokio::test]
async fn a_cancel_closes_the_connection_to_the_api_and_tells_the_reader() {
    let rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    let stream = supervisor.start(1, 1, "[sim:hang]").await;
    rig.until_open(1, 1).await;
    let cancelled = tokio::time::Instant::now();
    assert!(supervisor.cancel(1, 1).await.unwrap());
    rig.until_open(1, 0).await;
    assert!(cancelled.elapsed() < std::time::Duration::from_secs(1));
    assert_eq!(rig.calls().await["closed_early"], 1);
    assert_eq!(stream.last().await.outcome.end, End::Cancelled);
    assert_eq!(code(supervisor.send(supervisor.request(1, 1, "x")).await), Code::Aborted);
}

#[tokio::test]
async fn a_cancel_that_overtakes_its_task_leaves_a_tombstone() {
    let rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    assert!(!supervisor.cancel(1, 1).await.unwrap());
    assert_eq!(code(supervisor.send(supervisor.request(1, 1, "x")).await), Code::Aborted);
    assert_eq!(rig.calls().await["total"], 0);
}

#[tokio::test]
async fn settling_frees_what_was_held_and_stale_ends_what_runs() {
    let rig = Rig::start().await;
    let mut supervisor = rig.supervisor().await;
    supervisor.start(1, 1, "x").await.last().await;
    let running = supervisor.start(2, 1, "[sim:hang]").await;
    let mut held = supervisor.adopt().await.unwrap().held;
    held.sort_by_key(|held| held.task_id.clone());
    let states: Vec<_> = held.iter().map(|held| held.state()).collect();
    assert_eq!(states, [HeldState::Ended, HeldState::Running]);

    supervisor.settle(1, 1, Verdict::Settled).await.unwrap();
    supervisor.settle(1, 1, Verdict::Settled).await.unwrap();
    supervisor.settle(2, 1, Verdict::Stale).await.unwrap();
    assert_eq!(supervisor.adopt().await.unwrap().held, []);
    assert_eq!(running.last().await.outcome.end, End::Cancelled);
    rig.until_open(2, 0).await;
    assert_eq!(code(supervisor.send(supervisor.attach(1, 1, 0)).await), Code::NotFound);
}

#[tokio::test]
async fn a_higher_lease_ends_the_lower_one_first() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let lower = supervisor.start(1, 1, "[sim:hang]").await;
    rig.until_open(1, 1).await;
    let higher = supervisor.start(1, 2, "x").await;
    assert_eq!(lower.last().await.outcome.end, End::Cancelled);
    assert!(higher.last().await.text().starts_with("digest:"));
    assert_eq!(code(supervisor.send(supervisor.request(1, 1, "x")).await), Code::Aborted);
    rig.until_open(2, 0).await;
}

#[tokio::test]
async fn only_who_serves_is_followed() {
    let rig = Rig::start().await;
    let nobody = Supervisor::new(&rig, store(1), 1).await;
    assert_eq!(code(nobody.send(nobody.request(1, 1, "x")).await), Code::FailedPrecondition);

    let mut old = rig.supervisor().await;
    let stream = old.start(1, 1, "[sim:hang]").await;
    let mut new = Supervisor::new(&rig, store(1), 2).await;
    assert_eq!(new.adopt().await.unwrap().held.len(), 1);
    assert_eq!(code(old.send(old.request(2, 1, "x")).await), Code::FailedPrecondition);
    assert_eq!(code(old.adopt().await), Code::FailedPrecondition);
    assert_eq!(code(old.cancel(1, 1).await), Code::FailedPrecondition);
    assert_eq!(code(old.settle(1, 1, Verdict::Stale).await), Code::FailedPrecondition);

    let mut foreign = Supervisor::new(&rig, store(2), 9).await;
    let adopted = foreign.adopt().await.unwrap();
    assert_eq!((adopted.held.len(), adopted.foreign_held), (0, 1));
    assert!(!foreign.cancel(1, 1).await.unwrap());
    assert_eq!(rig.calls().await["open"], 1);
    drop(stream);
}

#[tokio::test]
async fn another_process_or_an_unknown_feature_is_refused() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let boot_id = taskfleet_core::BootId::from_bytes([9; 16]).to_string();
    let other = TaskRequest { boot_id, ..supervisor.request(1, 1, "x") };
    assert_eq!(code(supervisor.send(other).await), Code::FailedPrecondition);
    let requires = vec!["leases".into(), "telepathy".into()];
    let unknown = TaskRequest { requires, ..supervisor.request(1, 1, "x") };
    let status = supervisor.send(unknown).await.err().unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("telepathy"));
    let empty = supervisor.send(supervisor.request(1, 1, "")).await;
    assert_eq!(code(empty), Code::InvalidArgument);
    supervisor.start(1, 1, "x").await.last().await;
}

#[tokio::test]
async fn no_more_run_than_there_are_slots_and_a_full_outbox_refuses() {
    let bounded = taskfleet_worker::Settings { slots: 2, outbox_outcomes: 2, ..settings() };
    let rig = Rig::start_with(bounded).await;
    let mut supervisor = rig.supervisor().await;
    let unleased = TaskRequest {
        task_id: "any".into(),
        content: "[sim:hang]".into(),
        ..TaskRequest::default()
    };
    let first = supervisor.send(unleased.clone()).await.unwrap();
    let second = supervisor.start(1, 1, "[sim:hang]").await;
    rig.until_open(2, 2).await;
    let full = supervisor.send(supervisor.request(2, 1, "x")).await;
    assert_eq!(code(full), Code::ResourceExhausted);
    assert_eq!(code(supervisor.send(unleased).await), Code::ResourceExhausted);
    let mut again = supervisor.start(1, 1, "[sim:hang]").await;
    again.started().await;

    drop((first, second));
    rig.until_calls(|calls| calls["open"] == 1).await;
    supervisor.cancel(1, 1).await.unwrap();
    supervisor.start(3, 1, "x").await.last().await;
    supervisor.start(4, 1, "x").await.last().await;
    let full = supervisor.send(supervisor.request(5, 1, "x")).await;
    assert_eq!(code(full), Code::ResourceExhausted);
    supervisor.settle(3, 1, Verdict::Settled).await.unwrap();
    assert_eq!(code(supervisor.send(supervisor.request(5, 1, "x")).await), Code::Aborted);
    supervisor.start(5, 2, "x").await.last().await;
}
