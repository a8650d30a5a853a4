//! Background tasks, each with an owner.

use std::{future::Future, time::Duration};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The background tasks of one service. A critical one that ends before it was asked to
/// stops the whole service; any other may come and go. Clones share the tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: watch::Sender<Option<&'static str>>,
}

/// How waiting for the tasks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// All have ended.
    All,
    /// The time was over before they had.
    OutOfTime,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            failed: watch::Sender::new(None),
        }
    }
}

impl Tasks {
    /// Runs a task without which the service cannot go on: if it ends or panics before
    /// [`Tasks::stop`], the service stops, and [`Tasks::critical_failure`] says why.
    pub fn spawn_critical(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let guard = CriticalGuard { name, tasks: self.clone() };
        self.tracker.spawn(async move {
            let _guard = guard;
            task.await;
        });
    }

    /// Runs a task that may end at any time. If it panics, what it owned is dropped and the
    /// sweeps find what it left undone.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Some are kilobytes, which the runtime would move several times.
        self.tracker.spawn(Box::pin(task));
    }

    /// Asks all tasks to end; see [`Tasks::stopping`].
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether they were asked to.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the tasks are asked to end.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until a critical task ends that should not have; says which.
    pub async fn critical_failure(&self) -> &'static str {
        let mut failed = self.failed.subscribe();
        let name = failed.wait_for(Option::is_some).await.map(|name| *name);
        name.ok().flatten().unwrap_or("unknown")
    }

    /// Waits for all tasks to end, at most `limit`.
    pub async fn finished(&self, limit: Duration) -> Finished {
        self.tracker.close();
        match tokio::time::timeout(limit, self.tracker.wait()).await {
            Ok(()) => Finished::All,
            Err(_) => Finished::OutOfTime,
        }
    }
}

/// Reports the end of a critical task, also when it panics.
struct CriticalGuard {
    name: &'static str,
    tasks: Tasks,
}

impl Drop for CriticalGuard {
    fn drop(&mut self) {
        if !self.tasks.is_stopping() {
            tracing::error!(task = self.name, "a critical task ended");
            self.tasks.failed.send_replace(Some(self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_critical_task_that_ends_is_reported_and_one_that_was_asked_to_is_not() {
        let tasks = Tasks::default();
        tasks.spawn(async {});
        tasks.spawn_critical("dispatcher", async {});
        assert_eq!(tasks.critical_failure().await, "dispatcher");

        let tasks = Tasks::default();
        let stopping = tasks.clone();
        tasks.spawn_critical("dispatcher", async move { stopping.stopping().await });
        tasks.stop();
        assert_eq!(tasks.finished(Duration::from_secs(5)).await, Finished::All);
        assert!(tasks.failed.borrow().is_none());
    }
}
