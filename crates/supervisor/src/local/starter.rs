//! How a local worker is started.

use std::{ffi::OsString, io, net::SocketAddr, process::Stdio};

use secrecy::{ExposeSecret, SecretString};
use taskfleet_runtime::transport::on_this_host;
use tokio::process::{Child, Command};

use super::Mark;
use crate::engine::Engine;

/// A local worker that finds no supervisor for so long ends itself, in seconds.
const EXIT_WITHOUT_SUPERVISOR_SECONDS: &str = "60";

/// What all local workers of a supervisor are started with.
pub(super) struct Starter {
    command: Vec<OsString>,
    supervisor: String,
    join_token: Option<SecretString>,
}

impl Starter {
    pub(super) fn new(engine: &Engine, listens: SocketAddr) -> Self {
        Self {
            command: engine.settings.local_worker_command.clone(),
            supervisor: on_this_host(listens).to_string(),
            join_token: engine.settings.join_token.clone(),
        }
    }

    /// Starts the worker of one place, marked. It inherits the environment, and with it the model
    /// API's settings; it gets a process group of its own, so that a Ctrl-C meant for the
    /// supervisor does not reach it; it lives on when the supervisor is gone.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn start(&self, number: u32, mark: &Mark) -> io::Result<Child> {
        let (program, args) =
            self.command.split_first().ok_or_else(|| io::Error::other("no worker program"))?;
        let mut command = Command::new(program);
        command
            .args(args)
            .env("TASKFLEET_WORKER__GRPC_LISTEN", "127.0.0.1:0")
            .env("TASKFLEET_WORKER__HTTP_LISTEN", "127.0.0.1:0")
            .env("TASKFLEET_WORKER__ADVERTISE", "127.0.0.1:0")
            .env("TASKFLEET_WORKER__SUPERVISOR", &self.supervisor)
            .env("TASKFLEET_WORKER__NAME", format!("local-{number}"))
            .env(
                "TASKFLEET_WORKER__EXIT_WITHOUT_SUPERVISOR_SECONDS",
                EXIT_WITHOUT_SUPERVISOR_SECONDS,
            )
            .envs([mark.variable()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0);
        if let Some(token) = &self.join_token {
            // In the environment, for every user of the machine can read arguments.
            command.env("TASKFLEET_WORKER__JOIN_TOKEN", token.expose_secret());
        }
        command.spawn()
    }
}
