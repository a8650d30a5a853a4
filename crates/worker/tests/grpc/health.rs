//! `taskfleet-worker health`, as a container's health check runs it.

use std::net::SocketAddr;

use taskfleet_worker::{Settings, Stop};
use tokio::{net::TcpListener, process::Command};
use tonic::Status;

use crate::support::{FakeSupervisor, Rig, bounded, localhost, settings};

/// The exit code of the check of a worker that was told to listen at `port` everywhere.
async fn check(port: u16, args: &[&str]) -> Option<i32> {
    let listen = SocketAddr::from(([0, 0, 0, 0], port)).to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskfleet-worker"));
    command.arg("health").args(args).env("TASKFLEET_WORKER__GRPC_LISTEN", listen);
    bounded(command.kill_on_drop(true).output()).await.unwrap().status.code()
}

async fn until(port: u16, code: i32) {
    bounded(async { while check(port, &[]).await != Some(code) {} }).await;
}

#[tokio::test]
async fn a_worker_is_ready_also_without_its_supervisor_and_not_reachable_once_it_is_gone() {
    let mut rig = Rig::start().await;
    let port = rig.address.port();
    until(port, 0).await;
    assert_eq!(check(port, &["nobody"]).await, Some(1));
    rig.ask_to_stop(Stop::Quick);
    rig.stopped().await.unwrap();
    assert_eq!((check(port, &["live"]).await, check(port, &[]).await), (Some(3), Some(3)));
}

#[tokio::test]
async fn a_worker_that_its_supervisor_refuses_is_alive_and_not_ready() {
    let mut registry = FakeSupervisor::start().await;
    *registry.refuse.lock().await = Some(Status::unauthenticated("join_token: is missing"));
    let supervisor = registry.address.clone();
    let rig = Rig::start_with(Settings { supervisor, ..settings() }).await;
    registry.register().await;
    let hold = registry.refuse.clone();
    let refused_for_now = hold.lock().await;
    let port = rig.address.port();
    until(port, 1).await;
    assert_eq!(check(port, &["live"]).await, Some(0));
    drop(refused_for_now);
    until(port, 0).await;
}

#[tokio::test]
async fn one_that_hangs_is_not_reachable_and_the_check_does_not_hang_with_it() {
    // It takes connections and never answers, as a stopped process does.
    let hung = TcpListener::bind(localhost()).await.unwrap();
    assert_eq!(check(hung.local_addr().unwrap().port(), &[]).await, Some(3));
}

#[tokio::test]
async fn settings_that_name_no_port_are_to_be_mended() {
    assert_eq!(check(0, &[]).await, Some(2));
}
