//! An address at which something else listens: said at once, in one line.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::Child,
    task::JoinSet,
    time::Instant,
};

use crate::{
    batch::{Room, prompts},
    support::{Ran, command, taskfleet},
};

/// Far below every patience, and long on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);
const COMMANDS: [&[&str]; 5] = [
    &["list"],
    &["stats"],
    &["watch", "0190b6f0-7f3c-7c3a-9d5e-2f6a1c0b4e21"],
    &["cancel", "--group", "g"],
    &["submit", "hi"],
];

/// The command says in a line what is there, and ends with 3.
async fn assert_told(address: &str, args: &[&str], what: &str) {
    let begun = Instant::now();
    let ran = taskfleet(&[args, &["--address", address]].concat()).await;
    assert!(begun.elapsed() < AT_ONCE, "{args:?}: {:?}", begun.elapsed());
    assert_said(&ran, address, what);
}

fn assert_said(ran: &Ran, address: &str, what: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{ran:?}");
    let line = format!("what listens at {address} is no taskfleet supervisor: {what}");
    assert!(ran.stderr.contains(&line), "{line}: {}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

/// A service of this program, and where it listens.
async fn service(args: &[&str]) -> (Child, String) {
    let mut command = command(args);
    command.env("TASKFLEET_WORKER__GRPC_LISTEN", "127.0.0.1:0");
    command.env("TASKFLEET_WORKER__HTTP_LISTEN", "127.0.0.1:0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (child, address)
}

/// Answers whatever comes as HTTP/1 servers answer what they do not understand.
async fn http_1() -> (JoinSet<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            // The client may have gone.
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    (serving, address)
}

#[tokio::test]
async fn a_web_server_is_told_from_a_supervisor() {
    let (_serving, first) = http_1().await;
    let (_sim, second) = service(&["openai-sim", "--listen", "127.0.0.1:0"]).await;
    for address in [first, second] {
        for args in [&COMMANDS[..], &[&["health"]]].concat() {
            assert_told(&address, args, "it does not speak gRPC").await;
        }
    }
}

#[tokio::test]
async fn a_worker_is_told_from_a_supervisor() {
    let (_worker, address) = service(&["worker", "--exit-with-parent"]).await;
    for args in COMMANDS {
        assert_told(&address, args, "it is a worker; ask the supervisor").await;
    }
    let ran = taskfleet(&["health", "--address", &address]).await;
    assert_eq!(ran.code, Some(0), "a worker tells of its health: {ran:?}");
}

#[tokio::test]
async fn another_grpc_service_is_told_from_a_supervisor() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let mut serving = JoinSet::new();
    serving.spawn(async {
        let incoming = futures::stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let router = tonic::transport::Server::builder().add_service(health);
        router.serve_with_incoming(incoming).await.unwrap();
    });
    for args in [&COMMANDS[..], &[&["health"]]].concat() {
        assert_told(&address, args, "it speaks gRPC, but does not know this call").await;
    }
}

#[tokio::test]
async fn a_file_is_not_submitted_to_a_stranger_with_patience() {
    let (_serving, address) = http_1().await;
    let room = Room::with("in.txt", prompts(2)).await;
    let mut command = command(&["submit", "in.txt", "--wait", "--patience", "1h"]);
    command.args(["--address", &address]).current_dir(room.path("."));
    let ran: Ran = command.output().await.unwrap().into();
    assert_said(&ran, &address, "it does not speak gRPC");
}
