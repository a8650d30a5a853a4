//! Binding, ending, and the program itself.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use openai_sim::{Settings, Sim};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::Instant;

use crate::support::{BOUND, Running, chat, free_port, install_tls_provider};

#[tokio::test]
async fn a_port_in_use_is_named() {
    let sim = Running::start().await;
    let error = Sim::bind(Settings { listen: sim.address, ..free_port() }).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&sim.address.to_string()), "{error}");
}

#[tokio::test]
async fn an_idle_simulator_stops_at_once() {
    let sim = Running::start().await;
    sim.whole("hello").await;
    let started = Instant::now();
    sim.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn calls_that_still_run_are_aborted_after_a_second() {
    let sim = Running::start().await;
    let mut silent = sim.post(&chat("[sim:hangmid]", true)).send().await.unwrap();
    let mut slow = sim.post(&chat("[sim:deltas=1000,delay=1000]", true)).send().await.unwrap();
    let started = Instant::now();
    sim.stop().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(900));
    for response in [&mut silent, &mut slow] {
        let broke = async { while response.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
        tokio::time::timeout(BOUND, broke).await.expect("the connection outlived the simulator");
    }
}

#[tokio::test]
async fn a_call_that_ends_in_time_is_not_aborted() {
    let sim = Running::start().await;
    let response = sim.post(&chat("[sim:deltas=5,delay=20]", true)).send().await.unwrap();
    sim.stop().await.unwrap();
    assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_stops_when_told() {
    install_tls_provider();
    let mut program = program("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let address = line.strip_prefix("listening on ").unwrap();
    let health = reqwest::get(format!("{address}/sim/healthz")).await.unwrap();
    assert_eq!(health.status(), 200);
    drop(health);

    let in_use = address.strip_prefix("http://").unwrap();
    let second = self::program(in_use).output().await.unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("cannot listen on"));

    let pid = program.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(BOUND, program.wait()).await.expect("it does not stop");
    assert!(ended.unwrap().success());
}

#[tokio::test]
async fn its_health_is_asked_by_the_same_program() {
    let sim = Running::start().await;
    let everywhere = format!("0.0.0.0:{}", sim.address.port());
    let check = async || {
        let mut asking = program(&everywhere);
        let asked = tokio::time::timeout(BOUND, asking.arg("health").output()).await;
        asked.expect("it has an end").unwrap().status.code()
    };
    assert_eq!(check().await, Some(0));
    sim.stop().await.unwrap();
    assert_eq!(check().await, Some(3));
}

fn program(listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openai-sim"));
    command.args(["--listen", listen]).kill_on_drop(true);
    command
}
