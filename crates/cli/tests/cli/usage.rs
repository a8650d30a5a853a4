//! Wrong usage, and a supervisor that is not there.

use crate::support::taskfleet;

/// Nothing listens there: port 1 is reserved, and nobody runs it.
const NOBODY: &str = "127.0.0.1:1";

#[tokio::test]
async fn without_a_supervisor_every_command_ends_with_3_and_says_how_to_start_one() {
    let commands: [&[&str]; 11] = [
        &["submit", "hi"],
        &["get", "x"],
        &["watch", "x"],
        &["list"],
        &["cancel", "x"],
        &["retry", "x"],
        &["workers"],
        &["drain", "x"],
        &["stats"],
        &["health"],
        &["backup", "/x"],
    ];
    for command in commands {
        let ran = taskfleet(&[command, &["--address", NOBODY]].concat()).await;
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert_eq!(ran.stdout, "");
        for words in [NOBODY, "connection refused", "taskfleet dev", "taskfleet-supervisor"] {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        }
    }
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    let wrong: [&[&str]; 15] = [
        &[],
        &["submit"],
        &["submit", "hi", "--request", "/v1/responses", "--body", "-"],
        &["submit", "--request", "/v1/responses"],
        &["submit", "hi", "--label", "no-value"],
        &["submit", "hi", "--timeout", "soon"],
        &["submit", "hi", "--watch", "--wait"],
        &["cancel"],
        &["retry"],
        &["cancel", "x", "--group", "g"],
        &["list", "--state", "done"],
        &["list", "--limit", "0"],
        &["drain"],
        &["dev", "--workers", "0"],
        &["dev", "--address", "127.0.0.1:1"],
    ];
    for args in wrong {
        let ran = taskfleet(args).await;
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_words() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = taskfleet(&["dev", "--exit", "--port", &port]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains(&format!("port {port} is taken")), "{}", ran.stderr);
    assert!(ran.stderr.contains("--port"), "{}", ran.stderr);
}
