//! `taskfleet-supervisor health`, as a container's health check runs it.

use std::process::Output;

use tokio::process::Command;

use crate::support::{Rig, bounded};

async fn check(listen: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskfleet-supervisor"));
    command.arg("health").args(args).env("TASKFLEET_SUPERVISOR__GRPC_LISTEN", listen);
    bounded(command.kill_on_drop(true).output()).await.unwrap()
}

#[tokio::test]
async fn a_supervisor_without_workers_is_ready() {
    let rig = Rig::start().await;
    let listen = format!("0.0.0.0:{}", rig.address.port());
    let ready = async { while !check(&listen, &[]).await.status.success() {} };
    bounded(ready).await;
    assert!(check(&listen, &["live"]).await.status.success());
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named() {
    let told = check("localhost:50051", &[]).await;
    assert_eq!(told.status.code(), Some(2));
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(words.contains("grpc_listen") && words.contains("localhost:50051"), "{words}");
}
