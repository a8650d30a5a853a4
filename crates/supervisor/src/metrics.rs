//! What the supervisor measures; docs/metrics.md says what each of it means.
//!
//! What happens is counted where it happens; what is so now is measured when somebody looks
//! (`now`), and what the store counts is taken from there (`kept`).

mod kept;
mod models;
mod now;
mod words;

use std::sync::Arc;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use taskfleet_core::{
    Instant,
    failure::FailureKind,
    outcome::Call,
    task::{TaskRecord, TaskState, Work},
};
use taskfleet_runtime::{
    health::Readiness,
    metrics::{COUNTS, LIVES, Metrics, QUICK, WAITS},
};
use taskfleet_store::{Applied, Commit, Store};

use models::Models;
use now::Now;

/// The supervisor's metrics.
pub(crate) struct Figures {
    all: Metrics,
    now: Now,
    models: Models,
    submitted: IntCounterVec,
    tasks_ended: IntCounterVec,
    executions_ended: IntCounterVec,
    possibly_paid: IntCounter,
    stale_results: IntCounter,
    tokens: IntCounterVec,
    queue_seconds: Histogram,
    start_seconds: Histogram,
    task_seconds: HistogramVec,
}

impl Figures {
    pub(crate) fn new(readiness: Readiness, store: &Arc<dyn Store>) -> Self {
        let all = Metrics::new(env!("CARGO_PKG_VERSION"), readiness);
        kept::register(&all, store);
        watch_commits(&all, store.as_ref());
        let figures = Self {
            now: Now::new(&all),
            models: Models::default(),
            submitted: all.counters(
                "taskfleet_tasks_submitted_total",
                "Tasks that were accepted, by what they ask for.",
                &["work"],
            ),
            tasks_ended: all.counters(
                "taskfleet_tasks_ended_total",
                "Tasks that ended, by how and why.",
                &["state", "kind"],
            ),
            executions_ended: all.counters(
                "taskfleet_executions_ended_total",
                "Executions that ended, by how and why; a task may have several.",
                &["end", "kind"],
            ),
            possibly_paid: all.counter(
                "taskfleet_possibly_paid_total",
                "Executions whose outcome was not used though the provider may charge for them.",
            ),
            stale_results: all
                .counter("taskfleet_stale_results_total", "Outcomes that came too late to count."),
            tokens: all.counters(
                "taskfleet_tokens_total",
                "Tokens by the provider's count, by the model that answered.",
                &["model", "type"],
            ),
            queue_seconds: all.histogram(
                "taskfleet_queue_seconds",
                "From a task's acceptance to its first claim.",
                WAITS,
            ),
            start_seconds: all.histogram(
                "taskfleet_start_seconds",
                "From a claim to the worker's word that the task has begun there.",
                QUICK,
            ),
            task_seconds: all.histograms(
                "taskfleet_task_seconds",
                "From a task's acceptance to its end.",
                &["state"],
                LIVES,
            ),
            all,
        };
        figures.begin_at_zero();
        figures
    }

    /// All that is told.
    pub(crate) fn all(&self) -> Metrics {
        self.all.clone()
    }

    /// What rises from nothing is seen to rise only if it stood at nothing before.
    fn begin_at_zero(&self) {
        for work in words::WORKS {
            self.submitted.with_label_values(&[work]);
        }
        for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
            self.task_seconds.with_label_values(&[words::state(state)]);
        }
        self.tasks_ended.with_label_values(&["completed", ""]);
        self.tasks_ended.with_label_values(&["cancelled", FailureKind::Cancelled.name()]);
        self.executions_ended.with_label_values(&["completed", ""]);
        self.executions_ended.with_label_values(&["requeued", ""]);
        self.executions_ended.with_label_values(&["worker_lost", FailureKind::WorkerLost.name()]);
        for kind in FailureKind::ALL.map(FailureKind::name) {
            self.tasks_ended.with_label_values(&["failed", kind]);
            self.executions_ended.with_label_values(&["failed", kind]);
            self.executions_ended.with_label_values(&["throttled", kind]);
        }
    }

    /// A new task is on disk.
    pub(crate) fn submitted(&self, work: &Work) {
        self.submitted.with_label_values(&[words::work(work)]).inc();
    }

    /// A claim is on disk.
    pub(crate) fn claimed(&self, record: &TaskRecord) {
        if let Some(claimed) = record.claimed_at.filter(|_| record.counters.returns() == 0) {
            self.queue_seconds.observe(claimed.since(record.created_at).as_secs_f64());
        }
    }

    /// A worker says that an execution has begun that was claimed at `claimed`.
    pub(crate) fn started(&self, claimed: Instant, now: Instant) {
        self.start_seconds.observe(now.since(claimed).as_secs_f64());
    }

    /// A change is on disk.
    pub(crate) fn applied(&self, applied: &Applied) {
        if let Some(ended) = applied.ended {
            let labels = [ended.end.name(), ended.kind.map_or("", FailureKind::name)];
            self.executions_ended.with_label_values(&labels).inc();
            self.possibly_paid.inc_by(ended.possibly_paid.into());
        }
        if applied.outcome.is_some() {
            self.ended(&applied.record);
        }
    }

    fn ended(&self, record: &TaskRecord) {
        let kind = record.kind.filter(|_| record.state != TaskState::Completed);
        let labels = [words::state(record.state), kind.map_or("", FailureKind::name)];
        self.tasks_ended.with_label_values(&labels).inc();
        if let Some(finished) = record.finished_at {
            let took = finished.since(record.created_at).as_secs_f64();
            self.task_seconds.with_label_values(&labels[..1]).observe(took);
        }
    }

    /// An outcome came too late to count.
    pub(crate) fn stale(&self) {
        self.stale_results.inc();
    }

    /// How many of these there have been.
    pub(crate) fn stale_results(&self) -> u64 {
        self.stale_results.get()
    }

    /// A worker said what a call cost.
    pub(crate) fn used(&self, call: &Call) {
        let Some(usage) = call.usage else { return };
        let model = self.models.label(&call.served_model);
        let types = [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached_input", usage.cached_input_tokens),
            ("reasoning", usage.reasoning_tokens),
        ];
        for (kind, tokens) in types {
            self.tokens.with_label_values(&[&*model, kind]).inc_by(tokens);
        }
    }
}

fn watch_commits(all: &Metrics, store: &dyn Store) {
    let took = all.histogram(
        "taskfleet_store_commit_seconds",
        "How long a transaction of the store took, with its sync.",
        QUICK,
    );
    let items = all.histogram(
        "taskfleet_store_commit_items",
        "How many tasks and changes a transaction of the store made durable.",
        COUNTS,
    );
    let failures = all.counter(
        "taskfleet_store_commit_failures_total",
        "Transactions of the store that failed; nothing of them was written.",
    );
    store.watch_commits(Box::new(move |commit: &Commit| {
        took.observe(commit.took.as_secs_f64());
        if commit.failed {
            failures.inc();
        } else {
            items.observe(f64::from(u32::try_from(commit.items).unwrap_or(u32::MAX)));
        }
    }));
}
