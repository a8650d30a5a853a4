//! The most that there was at any look: calls at the API, and open files of each process.

use std::{convert::Infallible, fs, time::Duration};

use serde_json::{Value, json};
use tokio::time::interval;

use crate::{
    e2e::fleet::{Fleet, Process},
    report::Figures,
};

/// The API's book of ten thousand calls is not printed for nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Most {
    pub(super) calls: u64,
    processes: Vec<Files>,
}

/// The files that a process has open, and how many it may.
struct Files {
    name: String,
    pid: u32,
    most: usize,
}

impl Most {
    pub(super) fn of(fleet: &mut Fleet) -> Self {
        let (supervisor, workers) = fleet.processes();
        let processes = std::iter::once(&*supervisor).chain(&*workers);
        let files = |process: &Process| Files {
            name: process.name().to_owned(),
            pid: process.pid(),
            most: 0,
        };
        Self { calls: 0, processes: processes.map(files).collect() }
    }

    /// Looks until it is dropped.
    pub(super) async fn watch(&mut self, fleet: &Fleet) -> Infallible {
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            self.calls = self.calls.max(fleet.calls().await.open);
            for files in &mut self.processes {
                files.most = files.most.max(files.open());
            }
        }
    }

    pub(super) fn say_files(&self, figures: &mut Figures) {
        let said = self.processes.iter().map(|files| {
            let Files { name, pid, most } = files;
            format!("{name} {most} of {}", limit(&pid.to_string()))
        });
        let said: Vec<String> = said.collect();
        let given = limit("self");
        figures.say(format!("open files at most: {}; given {given} each", said.join(", ")));
        let values = self.processes.iter().map(|files| {
            let limit = limit(&files.pid.to_string());
            json!({"process": files.name, "most": files.most, "limit": limit})
        });
        figures.set("open_files", Value::Array(values.collect()));
    }
}

impl Files {
    fn open(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }
}

/// How many files a process may open.
fn limit(pid: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}
