//! A worker that may not open as many connections as it has slots says so when it starts.

use std::process::Stdio;

use crate::support::Ran;

/// A worker with so many slots that may open 1,024 files. Its standard input is at its end, so that
/// it stops as soon as it stands.
async fn started(slots: &str) -> Ran {
    let limited = r#"ulimit -n 1024; exec "$0" worker --exit-with-parent"#;
    let output = tokio::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_taskfleet")])
        .env("TASKFLEET_WORKER__SLOTS", slots)
        .env("TASKFLEET_WORKER__GRPC_LISTEN", "127.0.0.1:0")
        .env("TASKFLEET_WORKER__HTTP_LISTEN", "127.0.0.1:0")
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        .env("OPENAI_API_KEY", "unused")
        .env("RUST_LOG", "info")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(std::time::Duration::from_secs(20), output).await.unwrap().unwrap().into()
}

#[tokio::test]
async fn a_hard_limit_that_is_too_low_for_the_slots_is_told_of() {
    let few = started("2000").await;
    assert_eq!(few.code, Some(0), "{}", few.stderr);
    let lines = few.stderr.lines();
    let told: Vec<&str> = lines.filter(|line| line.contains("open files")).collect();
    assert_eq!(told.len(), 1, "{}", few.stderr);
    for part in ["WARN", "1024", "2100", "TASKFLEET_WORKER__SLOTS"] {
        assert!(told[0].contains(part), "{part} is missing: {}", told[0]);
    }
    let enough = started("900").await;
    assert_eq!(enough.code, Some(0), "{}", enough.stderr);
    assert!(!enough.stderr.contains("open files"), "{}", enough.stderr);
}
