//! A directory with an input and a results file, and the command that reads the one and writes
//! the other.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{
    supervisor::Supervisor,
    support::{Ran, command},
};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct Room {
    pub(crate) supervisor: Supervisor,
    dir: TempDir,
}

impl Room {
    /// With an input of this name and content.
    pub(crate) async fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let room = Self { supervisor: Supervisor::start().await, dir: TempDir::new().unwrap() };
        room.write(name, content);
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// `taskfleet submit`, in this directory.
    pub(crate) fn submit(&self, args: &[&str]) -> Command {
        let mut command = command(&["submit"]);
        command.args(args).args(["--address", &self.supervisor.address]);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let ran = tokio::time::timeout(BOUND, self.submit(args).output()).await;
        ran.expect("the command ends").unwrap().into()
    }

    /// The lines of the results file.
    pub(crate) fn results(&self) -> Vec<Value> {
        lines(&self.read("out.jsonl"))
    }

    /// The ids in the results file, sorted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.results().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    /// How many tasks the supervisor has.
    pub(crate) fn tasks(&self) -> usize {
        self.supervisor.book().tasks.len()
    }

    /// Waits until there are so many whole lines of results.
    pub(crate) async fn until_results(&self, count: usize) {
        until("the results are there", || self.read("out.jsonl").matches('\n').count() >= count)
            .await;
    }
}

/// Waits until `is_so`, with a bound.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = child.id().expect("it runs").cast_signed();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// So many prompts, a line each.
pub(crate) fn prompts(count: usize) -> String {
    (1..=count).map(|number| format!("prompt {number}\n")).collect()
}
