//! One process, and what a test may do to it.

use std::{
    fs::OpenOptions,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{
    loopback::own_address,
    wait::{BOUND, until},
};

/// How to start it.
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) program: Program,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) listen: Listen,
    pub(super) log: PathBuf,
}

/// What is started.
#[derive(Clone, Copy)]
pub(super) enum Program {
    /// Our own binary.
    Taskfleet,
    /// This test binary, as the worker of `published.rs`.
    Published,
}

/// How it is told where to listen.
#[derive(Clone, Copy)]
pub(super) enum Listen {
    Flag(&'static str),
    Variable(&'static str),
}

/// A process of the fleet, running or not.
pub(crate) struct Process {
    spec: Spec,
    address: String,
    child: Option<Running>,
}

struct Running {
    child: Child,
    // Held: a process that prints into a closed pipe fails.
    _stdout: BufReader<tokio::process::ChildStdout>,
}

impl Process {
    /// Starts it at an address of its own.
    pub(super) async fn start(spec: Spec) -> Self {
        let mut process = Self { spec, address: own_address(), child: None };
        process.restart().await;
        process
    }

    /// From its next start on it has this variable.
    pub(crate) fn set_variable(&mut self, key: &str, value: &str) {
        self.spec.env.push((key.to_owned(), value.to_owned()));
    }

    /// What it is called in the logs and, for a worker, in the fleet.
    pub(crate) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Where it listens, host:port; the same after a restart.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("the process runs").child.id()
    }

    /// SIGKILL; it is gone when this returns. Nothing happens to one that does not run.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.child.take() {
            // Fails only for one that has ended by itself.
            let _ = running.child.kill();
            running.child.wait().unwrap();
        }
    }

    /// SIGSTOP: it hangs, with its connections open.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: it goes on.
    pub(crate) fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Changes a variable of its environment, from its next start on.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.spec.env.push((key.to_owned(), value.to_owned()));
    }

    /// SIGTERM, without waiting for what follows.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let name = self.spec.name.clone();
        let mut running = self.child.take().expect("the process runs");
        let what = format!("{name} has ended");
        until(&what, || {
            let status = running.child.try_wait().unwrap();
            async move { status }
        })
        .await
    }

    /// Starts it again at the same address, after killing it if it runs; returns when it listens.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let mut child = self.command().spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut stdout = BufReader::new(tokio::process::ChildStdout::from_std(stdout).unwrap());
        let announced = tokio::time::timeout(BOUND, announced(&mut stdout)).await;
        self.child = Some(Running { child, _stdout: stdout });
        let Ok(Some(address)) = announced else {
            let log = std::fs::read_to_string(&self.spec.log).unwrap_or_default();
            panic!("{} does not listen\n{log}", self.spec.name)
        };
        self.address = address;
    }

    /// Like [`Process::restart`], at another address.
    pub(crate) async fn restart_elsewhere(&mut self) {
        self.address = own_address();
        self.restart().await;
    }

    fn command(&self) -> Command {
        let log = OpenOptions::new().create(true).append(true).open(&self.spec.log).unwrap();
        let mut command = match self.spec.program {
            Program::Taskfleet => Command::new(env!("CARGO_BIN_EXE_taskfleet")),
            Program::Published => Command::new(std::env::current_exe().unwrap()),
        };
        command.args(&self.spec.args);
        if matches!(self.spec.program, Program::Taskfleet) {
            command.arg("--exit-with-parent");
        }
        match self.spec.listen {
            Listen::Flag(flag) => command.args([flag, &self.address]),
            Listen::Variable(name) => command.env(name, &self.address),
        };
        command.envs(self.spec.env.iter().map(|(name, value)| (name, value)));
        // Its standard input ends with the test, also with one that is killed.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        command
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

/// The address that a process announces; a test binary prints lines of its own before it.
async fn announced(stdout: &mut BufReader<tokio::process::ChildStdout>) -> Option<String> {
    let mut line = String::new();
    while stdout.read_line(&mut line).await.ok()? > 0 {
        if let Some((_, address)) = line.trim_end().split_once("listening on ") {
            return Some(address.to_owned());
        }
        line.clear();
    }
    None
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
