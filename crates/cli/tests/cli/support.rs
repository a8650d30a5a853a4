//! Runs the program.

use std::process::Output;

use tokio::process::Command;

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program in an environment that sets nothing of its own. It dies with its handle.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskfleet"));
    command.args(args).env("COLUMNS", "100").env_remove("TASKFLEET_ADDRESS").kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub(crate) async fn taskfleet(args: &[&str]) -> Ran {
    command(args).output().await.unwrap().into()
}
