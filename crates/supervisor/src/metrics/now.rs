//! What is so now, measured when somebody looks.

use prometheus::{Gauge, IntGauge, IntGaugeVec};
use taskfleet_proto::v1::{Worker, WorkerState};
use taskfleet_runtime::{http::Measured, metrics::Metrics};
use tonic::async_trait;

use crate::{engine::Engine, grpc};

/// Every state that a worker can be seen in, and its word.
const STATES: [(WorkerState, &str); 7] = [
    (WorkerState::Connecting, "connecting"),
    (WorkerState::Ready, "ready"),
    (WorkerState::NotServing, "not_serving"),
    (WorkerState::Draining, "draining"),
    (WorkerState::Suspect, "suspect"),
    (WorkerState::SetAside, "set_aside"),
    (WorkerState::Lost, "lost"),
];

/// Gauges of queue and fleet.
pub(super) struct Now {
    oldest: Gauge,
    workers: IntGaugeVec,
    slots: IntGauge,
    slots_in_use: IntGauge,
}

impl Now {
    pub(super) fn new(all: &Metrics) -> Self {
        let oldest = "How long the oldest queued task has waited since its acceptance; 0: none.";
        Self {
            oldest: all.seconds("taskfleet_queue_oldest_age_seconds", oldest),
            workers: all.gauges("taskfleet_workers", "Workers, by where they stand.", &["state"]),
            slots: all.gauge("taskfleet_slots", "Executions that the workers take at once."),
            slots_in_use: all.gauge("taskfleet_slots_in_use", "Slots that are taken."),
        }
    }

    fn show(&self, workers: &[Worker]) {
        for (state, word) in STATES {
            let count = workers.iter().filter(|worker| worker.state() == state).count();
            self.workers.with_label_values(&[word]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.slots.set(workers.iter().map(|worker| i64::from(worker.slots)).sum());
        self.slots_in_use.set(workers.iter().map(|worker| i64::from(worker.slots_in_use)).sum());
    }
}

#[async_trait]
impl Measured for Engine {
    async fn measure(&self) {
        let now = &self.metrics.now;
        now.show(&grpc::workers(self));
        // What cannot be read keeps its last value: a store that fails is told elsewhere.
        if let Ok(oldest) = self.store.oldest_queued().await {
            let age = oldest.map(|submitted| self.time.now().since(submitted));
            now.oldest.set(age.unwrap_or_default().as_secs_f64());
        }
    }
}
