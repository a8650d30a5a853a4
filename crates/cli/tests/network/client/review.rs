//! What has become of everything, as one can ask for it.

use std::time::Duration;

use taskfleet_proto::v1::{
    AdoptRequest, Caller, GetStatsRequest, GetTaskRequest,
    worker_control_client::WorkerControlClient,
};
use taskfleet_runtime::transport::Link;

use super::Client;
use crate::{plan::Host, software::WORKER_PORT};

/// Settlements are sent at once, and again on each connection: what is still held after this
/// was forgotten.
const SETTLED_WITHIN: Duration = Duration::from_secs(50);
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Client {
    pub(super) async fn review(&self) {
        let ids = self.seen(|seen| seen.accepted.clone());
        for (task, task_id) in ids {
            let request = || GetTaskRequest { task_id: task_id.clone() };
            let answer = self
                .connection
                .ask(async |connected| connected.tasks().get_task(request()).await)
                .await;
            if let Some(as_it_stands) = answer.task {
                self.seen(|seen| seen.tasks.insert(task, as_it_stands));
            }
        }
        for worker in 0..self.shared.plan.workers.len() {
            let emptied = tokio::time::timeout(SETTLED_WITHIN, self.emptied(worker)).await;
            if emptied.is_err() {
                let held = self.held(worker).await.unwrap_or_default();
                self.seen(|seen| seen.held.extend(held));
            }
        }
    }

    async fn emptied(&self, worker: usize) {
        while self.held(worker).await.is_none_or(|held| !held.is_empty()) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What a worker says that it holds: asked with the supervisor's own epoch, which changes
    /// nothing. `None`: it did not say.
    async fn held(&self, worker: usize) -> Option<Vec<String>> {
        let stats = self
            .connection
            .ask(async |connected| connected.fleet().get_stats(GetStatsRequest {}).await)
            .await;
        let address = format!("{}:{WORKER_PORT}", Host::Worker(worker));
        let limit = Duration::from_secs(2);
        let link = Link::connect(self.connection.connector(), &address, limit).await.ok()?;
        let supervisor_id = String::new();
        let caller = Caller { store_id: stats.store_id, supervisor_id, epoch: stats.epoch };
        let request = AdoptRequest { caller: Some(caller), boot_id: String::new() };
        let mut control = WorkerControlClient::new(link.channel());
        let asked = tokio::time::timeout(limit, control.adopt(request)).await;
        let held = asked.ok()?.ok()?.into_inner().held.into_iter();
        let of = |task_id: String| format!("worker-{worker} holds {task_id}");
        Some(held.map(|held| of(held.task_id)).collect())
    }
}
