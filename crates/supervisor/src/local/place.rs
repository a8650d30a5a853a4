//! One place for a local worker, kept filled.

use std::{sync::Arc, time::Duration};

use rustix::process::Signal;
use tokio::{
    process::Child,
    time::{Instant, sleep},
};

use super::{Mark, Marked, Starter};
use crate::{engine::Engine, fleet::Local};

/// A process that has not registered by then never will.
const JOIN_WITHIN: Duration = Duration::from_secs(20);
/// A worker that is asked to end ends what it runs first; as long as it is given for that.
const END_WITHIN: Duration = Duration::from_secs(30);
/// How often a process that is not our child is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// One that ran for so long started well: the next pause is a short one again.
const STARTED_WELL: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Place {
    engine: Arc<Engine>,
    starter: Arc<Starter>,
    number: u32,
    pause: Duration,
}

/// A process of ours, or one that an earlier supervisor started.
struct Process {
    pid: u32,
    child: Option<Child>,
    mark: Mark,
}

/// Why a place has to be filled again.
enum End {
    Exited(String),
    Lost,
    NeverJoined,
}

impl Place {
    pub(super) fn new(engine: Arc<Engine>, starter: Arc<Starter>, number: u32) -> Self {
        Self { engine, starter, number, pause: FIRST_PAUSE }
    }

    /// Keeps the place filled, at first with the process `found`, until the supervisor stops;
    /// the worker goes on then.
    pub(super) async fn keep(mut self, found: Option<Marked>) {
        let engine = self.engine.clone();
        tokio::select! {
            () = self.fill(found) => {}
            () = engine.tasks.stopping() => {}
        }
    }

    async fn fill(&mut self, found: Option<Marked>) {
        let process = |found: Marked| Process { pid: found.pid, child: None, mark: found.mark };
        let mut found = found.map(process);
        while !self.engine.stands_back() {
            let began = Instant::now();
            match found.take().map_or_else(|| self.start(), Ok) {
                Ok(process) => self.watch(process).await,
                Err(error) => {
                    tracing::error!(number = self.number, %error, "a local worker did not start");
                }
            }
            if began.elapsed() >= STARTED_WELL {
                self.pause = FIRST_PAUSE;
            }
            sleep(self.engine.entropy.jittered(self.pause)).await;
            self.pause = LONGEST_PAUSE.min(self.pause * 2);
        }
    }

    fn start(&self) -> std::io::Result<Process> {
        let mark = Mark::new(&self.engine.home, self.number, self.engine.entropy.bytes());
        let child = self.starter.start(self.number, &mark)?;
        let pid = child.id().ok_or_else(|| std::io::Error::other("it ended at once"))?;
        tracing::info!(number = self.number, pid, "started a local worker");
        Ok(Process { pid, child: Some(child), mark })
    }

    /// Returns when the process is gone.
    async fn watch(&self, mut process: Process) {
        let joined_and_gone = async {
            let local = Local { number: self.number, pid: process.pid };
            let joined = self.engine.fleet.local(local);
            match tokio::time::timeout(JOIN_WITHIN, joined).await {
                Ok(member) => {
                    member.gone().await;
                    End::Lost
                }
                Err(_) => End::NeverJoined,
            }
        };
        let end = tokio::select! {
            how = ended(process.child.as_mut(), process.pid, &process.mark) => End::Exited(how),
            end = joined_and_gone => end,
        };
        // It may run calls for the supervisor that serves it now.
        if self.engine.stands_back() {
            return;
        }
        let (number, pid) = (self.number, process.pid);
        match end {
            End::Exited(how) => {
                tracing::warn!(number, pid, how, "a local worker ended; another is started");
            }
            End::Lost => {
                tracing::warn!(number, pid, "a local worker was lost; another is started");
                process.kill().await;
            }
            End::NeverJoined => {
                tracing::warn!(number, pid, "a local worker did not register; another is started");
                process.end().await;
            }
        }
    }
}

/// Waits until the process has ended; says how.
async fn ended(child: Option<&mut Child>, pid: u32, mark: &Mark) -> String {
    if let Some(child) = child {
        return match child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
    }
    while mark.is_on(pid) {
        sleep(LOOK_EVERY).await;
    }
    "it is no longer there".to_owned()
}

impl Process {
    async fn kill(&mut self) {
        self.mark.signal(self.pid, Signal::KILL);
        ended(self.child.as_mut(), self.pid, &self.mark).await;
    }

    /// What it runs may end; then it is killed.
    async fn end(&mut self) {
        self.mark.signal(self.pid, Signal::TERM);
        let ended = ended(self.child.as_mut(), self.pid, &self.mark);
        if tokio::time::timeout(END_WITHIN, ended).await.is_err() {
            self.kill().await;
        }
    }
}
