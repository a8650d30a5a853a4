//! A supervisor that cannot have its store or its port ends at once, and says why in a line.

use std::{fs, net::TcpListener, path::Path, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::support::{Ran, command};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(20);

fn supervisor(store: &Path) -> Command {
    let mut command = command(&["supervisor", "--exit-with-parent"]);
    command
        .env("TASKFLEET_SUPERVISOR__STORE", store)
        .env("TASKFLEET_SUPERVISOR__GRPC_LISTEN", "127.0.0.1:0")
        .env("TASKFLEET_SUPERVISOR__HTTP_LISTEN", "127.0.0.1:0")
        .env("RUST_LOG", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end, which has to come by itself.
async fn run(mut command: Command) -> Ran {
    let child = command.spawn().unwrap();
    let output = tokio::time::timeout(BOUND, child.wait_with_output()).await;
    output.expect("it ends by itself").unwrap().into()
}

/// The one line that says what is wrong; nothing was served.
async fn refusal(command: Command) -> String {
    let ran = run(command).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(lines.len(), 1, "{}", ran.stderr);
    lines[0].to_owned()
}

async fn assert_refused(store: &Path, why: &str, what_to_do: &str) {
    let said = refusal(supervisor(store)).await;
    for part in [&*store.display().to_string(), why, what_to_do] {
        assert!(said.contains(part), "{part:?} is missing: {said}");
    }
}

/// A running supervisor with this store.
async fn running(store: &Path) -> Child {
    let mut child = supervisor(store).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let read = tokio::time::timeout(BOUND, stdout.read_line(&mut line)).await;
    assert!(line.starts_with("listening on "), "{read:?} {line:?}");
    child.stdout = Some(stdout.into_inner());
    child
}

/// A store that a supervisor made and left in order.
async fn made(directory: &TempDir) -> std::path::PathBuf {
    let store = directory.path().join("tasks.db");
    let mut child = running(&store).await;
    drop(child.stdin.take());
    let ended = tokio::time::timeout(BOUND, child.wait()).await.expect("it stops").unwrap();
    assert!(ended.success());
    store
}

#[tokio::test]
async fn a_store_that_another_supervisor_has_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let store = directory.path().join("tasks.db");
    let first = running(&store).await;
    assert_refused(&store, "in use by another supervisor", "stop that one").await;
    drop(first);
}

#[tokio::test]
async fn what_is_no_store_is_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("text");
    fs::write(&text, "my notes\n".repeat(999)).unwrap();
    assert_refused(&text, "is not a taskfleet store", "name another file").await;
    assert_eq!(fs::read_to_string(&text).unwrap(), "my notes\n".repeat(999));
    assert_refused(directory.path(), "is a directory", "name another file").await;
    assert_refused(&text.join("tasks.db"), "cannot make its directory", "directory").await;
}

#[tokio::test]
async fn a_damaged_store_and_one_of_another_version_are_refused() {
    let directory = TempDir::new().unwrap();
    let store = made(&directory).await;
    let whole = fs::read(&store).unwrap();
    // Where SQLite's header keeps the format (sqlite.org/fileformat.html, "user version").
    let mut newer = whole.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&store, &newer).unwrap();
    assert_refused(&store, "newer version", "run the newer version").await;
    let mut older = whole.clone();
    older[60..64].copy_from_slice(&1_u32.to_be_bytes());
    fs::write(&store, &older).unwrap();
    assert_refused(&store, "older version", "name another file").await;
    let mut damaged = whole;
    damaged[100..].fill(0xa5);
    fs::write(&store, &damaged).unwrap();
    assert_refused(&store, "is damaged", "backup").await;
}

#[tokio::test]
async fn a_collectors_address_that_leads_nowhere_is_named() {
    let directory = TempDir::new().unwrap();
    for variable in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
        for wrong in ["nonsense", "127.0.0.1:4317", "ftp://collector:21", "http://"] {
            let mut command = supervisor(&directory.path().join("tasks.db"));
            command.env(variable, wrong);
            let ran = run(command).await;
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{wrong}: {}", ran.stderr);
            let said = format!("{variable} must be where a collector listens");
            assert!(ran.stderr.contains(&said), "{wrong}: {}", ran.stderr);
        }
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let directory = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["grpc_listen", "http_listen"] {
        let mut command = supervisor(&directory.path().join("tasks.db"));
        command.env(format!("TASKFLEET_SUPERVISOR__{}", setting.to_uppercase()), &address);
        let said = refusal(command).await;
        for part in [&*address, "in use", setting] {
            assert!(said.contains(part), "{part:?} is missing: {said}");
        }
    }
}
