//! One process of the fleet.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStdin, ChildStdout, Command},
    task::JoinSet,
};

use super::{log, screen::Screen};

/// A service that has not bound its port by then has not started.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long what a process said last may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How to start a process: this program again, as one of its services.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    /// What people call it.
    pub(super) name: String,
    /// The hidden command and its flags.
    pub(super) args: Vec<String>,
    /// Variables beside those of our own environment.
    pub(super) env: Vec<(&'static str, String)>,
}

/// A process that runs and has said where it listens. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    address: String,
    /// Its standard input ends when this process does, however that ends: then it stops.
    _alive: ChildStdin,
    /// Kept open: a write to a closed pipe would be an error over there.
    _stdout: BufReader<ChildStdout>,
    /// Shows what it logs.
    log: JoinSet<()>,
}

impl Spec {
    /// Starts the process and waits until it listens.
    ///
    /// # Errors
    /// When it ends or says nothing instead; it is gone then.
    pub(super) async fn start(&self, screen: &Screen) -> anyhow::Result<Child> {
        let mut process = self.command()?.spawn().context("cannot start a process")?;
        let stderr = process.stderr.take().context("no standard error")?;
        let mut log = JoinSet::new();
        log.spawn(log::show(self.name.clone(), stderr, screen.clone()));
        let alive = process.stdin.take().context("no standard input")?;
        let mut stdout = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut line = String::new();
        match tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line)).await {
            Err(_) => bail!("{} did not start within {START_LIMIT:?}", self.name),
            Ok(read) => read?,
        };
        let Some(address) = line.trim_end().strip_prefix("listening on ") else {
            let status = process.wait().await?;
            last_words(&mut log).await;
            bail!("{} did not start ({})", self.name, said_of(status));
        };
        let address = address.to_owned();
        Ok(Child { process, address, _alive: alive, _stdout: stdout, log })
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(&self.args)
            .arg("--exit-with-parent")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal sends Ctrl-C to its whole process group; we alone decide who stops when.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }
}

impl Child {
    /// Where it listens, host:port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await;
        last_words(&mut self.log).await;
        status
    }

    /// Asks it to stop.
    pub(super) fn terminate(&self) {
        // `id` is none once it has been waited for: the number may be another process's by then.
        let pid = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            // It may have ended this moment, and then there is nothing to ask.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Kills it and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        // Fails only when it has ended before.
        let _ = self.process.kill().await;
    }
}

/// What a process said before its end is shown before anything is said about that.
async fn last_words(log: &mut JoinSet<()>) {
    // A process of its own that it left behind may keep the pipe open.
    let _ = tokio::time::timeout(LAST_WORDS, log.join_next()).await;
}

/// How a process ended, in words: "exit status: 1", "signal: 9 (SIGKILL)".
pub(super) fn said_of(status: ExitStatus) -> String {
    status.to_string()
}
