//! Keeps one process of the fleet running, and ends it when told to.

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    child::{Child, Spec, said_of},
    screen::Screen,
};
use crate::patience::Backoff;

/// The longest pause before a process is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A process that ran this long had started well: its next pause is a short one.
const STARTED_WELL: Duration = Duration::from_secs(30);

/// Processes that stop together.
pub(super) struct Group {
    stop: CancellationToken,
    kill: CancellationToken,
    keepers: JoinSet<()>,
}

impl Group {
    /// No processes yet; `kill` ends them at once.
    pub(super) fn new(kill: CancellationToken) -> Self {
        Self { stop: CancellationToken::new(), kill, keepers: JoinSet::new() }
    }

    /// Keeps `child` running, by `spec`.
    pub(super) fn keep(&mut self, spec: Spec, child: Child, screen: Screen) {
        let (stop, kill) = (self.stop.clone(), self.kill.clone());
        let keeper = Keeper { spec, screen, backoff: Backoff::new(LONGEST_PAUSE) };
        self.keepers.spawn(keeper.run(child, stop, kill));
    }

    /// Asks all to stop, and kills those that have not within `limit`.
    pub(super) async fn stop(&mut self, limit: Duration) {
        self.stop.cancel();
        let ended = async { while self.keepers.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, ended).await.is_err() {
            // Dropping a process kills it, and so does the end of its keeper.
            self.keepers.shutdown().await;
        }
    }
}

struct Keeper {
    spec: Spec,
    screen: Screen,
    backoff: Backoff,
}

impl Keeper {
    async fn run(mut self, child: Child, stop: CancellationToken, kill: CancellationToken) {
        let mut running = Some(child);
        while let Some(mut child) = running.take() {
            tokio::select! {
                () = self.watch(&mut child) => {}
                () = stop.cancelled() => return end(child, kill).await,
            }
            running = tokio::select! {
                child = self.start_again() => Some(child),
                () = stop.cancelled() => None,
            };
        }
    }

    /// Returns when the process has ended, which it should not.
    async fn watch(&mut self, child: &mut Child) {
        let started = Instant::now();
        let how = match child.ended().await {
            Ok(status) => said_of(status),
            Err(error) => error.to_string(),
        };
        if started.elapsed() > STARTED_WELL {
            self.backoff.reset();
        }
        self.screen
            .talk(&format!("{} ended unexpectedly ({how}); starting it again.", self.spec.name));
    }

    async fn start_again(&mut self) -> Child {
        loop {
            tokio::time::sleep(self.backoff.pause()).await;
            match self.spec.start(&self.screen).await {
                Ok(child) => return child,
                Err(error) => self.screen.talk(&format!("{error:#}; trying again.")),
            }
        }
    }
}

/// Asks the process to stop and waits for it, unless it is to be killed.
async fn end(mut child: Child, kill: CancellationToken) {
    child.terminate();
    let ended = tokio::select! {
        _ = child.ended() => true,
        () = kill.cancelled() => false,
    };
    if !ended {
        child.kill().await;
    }
}
