//! Finds the processes that a test started and what those started, by a mark in their
//! environment.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use taskfleet_core::BootId;
use taskfleet_runtime::Entropy;

use super::wait::until_within;

const VARIABLE: &str = "FLEET_TEST_MARK";

/// The processes that carry one mark.
pub(crate) struct Leftovers {
    mark: String,
}

impl Leftovers {
    /// A mark that no other test has.
    pub(crate) fn new() -> Self {
        Self { mark: BootId::from_random(Entropy::from_os().bytes()).to_string() }
    }

    /// The variable that marks a process and its children.
    pub(crate) fn variable(&self) -> (String, String) {
        (VARIABLE.to_owned(), self.mark.clone())
    }

    /// The marked processes that live, with their commands.
    pub(crate) fn living(&self) -> Vec<(i32, String)> {
        let mark = format!("{VARIABLE}={}", self.mark);
        let pids = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let marked = pids.filter(|pid| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        marked.map(|pid| (pid, command(pid))).collect()
    }

    /// Waits until no marked process lives.
    pub(crate) async fn until_none(&self, limit: Duration) {
        until_within(limit, "no process is left", || async {
            self.living().is_empty().then_some(())
        })
        .await;
    }

    /// Kills what lives; what that was.
    pub(crate) fn kill(&self) -> Vec<(i32, String)> {
        let living = self.living();
        for (pid, _) in &living {
            // It may end this moment.
            let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
        }
        living
    }
}

fn command(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}
