//! The feed of outcomes, followed over broken connections.

use std::time::Duration;

use taskfleet_proto::v1::{WatchTasksRequest, WatchTasksResponse};

use super::{Client, GROUP};

/// A feed that says nothing for so long is opened again: it may hang on a dead connection.
const SILENT_FOR: Duration = Duration::from_secs(8);

impl Client {
    /// Until the outcome of every task of the plan is known.
    pub(super) async fn follow_outcomes(&self) {
        let mut cursor = String::new();
        while !self.knows_all() {
            self.follow(&mut cursor).await;
            self.connection.pause().await;
        }
    }

    async fn follow(&self, cursor: &mut String) {
        let request = || WatchTasksRequest {
            group: GROUP.to_owned(),
            cursor: cursor.clone(),
            ..WatchTasksRequest::default()
        };
        let opened = self
            .connection
            .ask_once(async |connected| connected.tasks().watch_tasks(request()).await)
            .await;
        let Some(mut feed) = opened else { return };
        while !self.knows_all() {
            match tokio::time::timeout(SILENT_FOR, feed.message()).await {
                Ok(Ok(Some(event))) => {
                    cursor.clone_from(&event.cursor);
                    self.outcome(event);
                }
                Ok(Ok(None)) => return,
                Ok(Err(status)) => return self.connection.judge(&status),
                Err(_) => return self.connection.give_up(),
            }
        }
    }

    fn outcome(&self, event: WatchTasksResponse) {
        let Some(task) = event.task else { return };
        let (id, state) = (task.id.clone(), task.state());
        self.shared.journal.note(format!("client: {id} ended as {state:?}"));
        if let Some(known) = self.seen(|seen| seen.outcomes.insert(id.clone(), state)) {
            let told = format!("the outcome of {id} was told twice, as {known:?} and {state:?}");
            self.shared.journal.violation(told);
        }
    }

    fn knows_all(&self) -> bool {
        let count = self.shared.plan.tasks.len();
        self.seen(|seen| {
            seen.accepted.len() == count
                && seen.accepted.values().all(|id| seen.outcomes.contains_key(id))
        })
    }
}
