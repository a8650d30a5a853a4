//! What the store counts by itself, read when somebody looks: it goes on over restarts.

use std::sync::Arc;

use prometheus::{
    IntCounter, IntGauge, IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use taskfleet_core::task::TaskState;
use taskfleet_runtime::metrics::{Metrics, valid};
use taskfleet_store::{Counts, Store, Totals};

use super::words;

/// Registers what this store counts.
pub(super) fn register(all: &Metrics, store: &Arc<dyn Store>) {
    all.register(Kept::new(store.clone()));
}

struct Kept {
    store: Arc<dyn Store>,
    descriptions: Vec<Desc>,
}

impl Kept {
    fn new(store: Arc<dyn Store>) -> Self {
        let families = families(Counts::default(), Totals::default());
        let descriptions = families.iter().flat_map(|family| family.desc()).cloned().collect();
        Self { store, descriptions }
    }
}

impl Collector for Kept {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let families = families(self.store.counts(), self.store.totals());
        families.iter().flat_map(|family| family.collect()).collect()
    }
}

fn families(counts: Counts, totals: Totals) -> Vec<Box<dyn Collector>> {
    let tasks = "Tasks in the store, by state; ended ones are there until they are pruned.";
    let tasks = valid(IntGaugeVec::new(Opts::new("taskfleet_tasks", tasks), &["state"]));
    for state in TaskState::ALL {
        tasks.with_label_values(&[words::state(state)]).set(signed(counts.of(state)));
    }
    let bytes = "Bytes of the prompts and bodies of queued tasks.";
    let bytes = valid(IntGauge::new("taskfleet_queue_bytes", bytes));
    bytes.set(signed(counts.queued_bytes));
    let counter = |name: &str, help: &str, value: u64| -> Box<dyn Collector> {
        let counter = valid(IntCounter::new(name, format!("{help}, since the store was made.")));
        counter.inc_by(value);
        Box::new(counter)
    };
    vec![
        Box::new(tasks),
        Box::new(bytes),
        counter(
            "taskfleet_attempts_failed_total",
            "Executions that failed in a way that may pass",
            totals.attempts_failed,
        ),
        counter(
            "taskfleet_throttles_total",
            "Times that the provider said slow down, or nothing could be sent",
            totals.throttles,
        ),
        counter(
            "taskfleet_worker_losses_total",
            "Executions whose worker died, hung or was cut off",
            totals.worker_losses,
        ),
        counter(
            "taskfleet_requeues_total",
            "Times that a task came back without having counted as anything",
            totals.requeues,
        ),
    ]
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
