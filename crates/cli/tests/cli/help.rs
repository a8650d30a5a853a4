//! The help of each command is what `help/` says. After a wanted change:
//! `UPDATE_HELP=1 cargo test -p taskfleet --test cli`.

use std::{fs, path::PathBuf};

use crate::support::taskfleet;

#[tokio::test]
async fn the_help_of_each_command_is_stable() {
    let commands = [
        "", "submit", "get", "watch", "list", "cancel", "retry", "workers", "drain", "stats",
        "health", "backup", "dev",
    ];
    for command in commands {
        let mut args = vec!["--help"];
        if !command.is_empty() {
            args.insert(0, command);
        }
        let ran = taskfleet(&args).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        compare(command, &ran.stdout);
    }
}

#[tokio::test]
async fn a_service_shows_no_flags_of_clients() {
    for service in ["supervisor", "worker", "openai-sim"] {
        let ran = taskfleet(&[service, "--help"]).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        for flag in ["--address", "--json"] {
            assert!(!ran.stdout.contains(flag), "{service}: {}", ran.stdout);
        }
    }
}

fn compare(command: &str, said: &str) {
    let name = if command.is_empty() { "taskfleet" } else { command };
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/help/{name}.txt"));
    if std::env::var_os("UPDATE_HELP").is_some() {
        fs::write(&path, said).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said, expected, "the help of {name} has changed: see tests/cli/help.rs");
}
