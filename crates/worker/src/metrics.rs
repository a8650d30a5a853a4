//! What a worker measures; docs/metrics.md says what each of it means.

use std::{sync::Arc, time::Duration};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use taskfleet_core::{execution::Bounds, failure::FailureKind};
use taskfleet_runtime::{
    health::Readiness,
    http::{Measured, Told},
    metrics::{CALLS, Metrics},
};
use tokio::sync::watch;
use tonic::async_trait;

use crate::executions::Load;

/// Operations, as spans name them.
const OPERATIONS: [&str; 2] = ["chat", "embeddings"];

/// A worker's metrics, and whether it is ready.
pub(crate) struct Figures {
    readiness: Readiness,
    all: Metrics,
    registered: IntGauge,
    slots_in_use: IntGauge,
    outbox_outcomes: IntGauge,
    outbox_bytes: IntGauge,
    dropped: IntCounter,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    first_token: Histogram,
}

impl Figures {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let readiness = Readiness::default();
        let all = Metrics::new(env!("CARGO_PKG_VERSION"), readiness.clone());
        show_bounds(&all, bounds);
        let gauge = |name, help| all.gauge(name, help);
        let figures = Self {
            registered: gauge(
                "taskfleet_worker_registered",
                "1 while a supervisor has registered this worker, else 0.",
            ),
            slots_in_use: gauge("taskfleet_worker_slots_in_use", "Calls that go on, for whomever."),
            outbox_outcomes: gauge(
                "taskfleet_worker_outbox_outcomes",
                "Outcomes that wait to be settled by the supervisor.",
            ),
            outbox_bytes: gauge("taskfleet_worker_outbox_bytes", "Bytes of these outcomes."),
            dropped: all.counter(
                "taskfleet_worker_outcomes_dropped_total",
                "Outcomes that no supervisor settled in time, so that they were dropped.",
            ),
            calls: all.counters(
                "taskfleet_worker_calls_total",
                "Calls to the model API that ended, by what they asked for and how they ended.",
                &["operation", "outcome"],
            ),
            call_seconds: all.histograms(
                "taskfleet_worker_call_seconds",
                "How long calls to the model API took, however they ended.",
                &["operation"],
                CALLS,
            ),
            first_token: all.histogram(
                "taskfleet_worker_first_token_seconds",
                "From sending a streamed call to the first piece of its text.",
                CALLS,
            ),
            all,
            readiness,
        };
        figures.begin_at_zero();
        figures
    }

    /// Whether the worker is ready.
    pub(crate) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// All that is told, with this load.
    pub(crate) fn told(self: Arc<Self>, load: watch::Receiver<Load>) -> Told {
        Told {
            readiness: self.readiness.clone(),
            metrics: self.all.clone(),
            measured: Arc::new(Watched { figures: self, load }),
        }
    }

    /// What rises from nothing is seen to rise only if it stood at nothing before.
    fn begin_at_zero(&self) {
        for operation in OPERATIONS {
            self.call_seconds.with_label_values(&[operation]);
            for outcome in ["completed", "released"] {
                self.calls.with_label_values(&[operation, outcome]);
            }
            for kind in FailureKind::ALL.map(FailureKind::name) {
                self.calls.with_label_values(&[operation, kind]);
            }
        }
    }

    /// Whether a supervisor has registered this worker.
    pub(crate) fn registered(&self, registered: bool) {
        self.registered.set(registered.into());
    }

    /// So many outcomes were held for too long.
    pub(crate) fn dropped(&self, outcomes: usize) {
        self.dropped.inc_by(outcomes as u64);
    }

    /// A call is over.
    pub(crate) fn called(&self, call: &Ended) {
        self.calls.with_label_values(&[call.operation, call.outcome]).inc();
        let took = call.took.as_secs_f64();
        self.call_seconds.with_label_values(&[call.operation]).observe(took);
        if let Some(waited) = call.first_text {
            self.first_token.observe(waited.as_secs_f64());
        }
    }
}

/// A call that is over.
pub(crate) struct Ended {
    /// What it asked for.
    pub(crate) operation: &'static str,
    /// How it ended.
    pub(crate) outcome: &'static str,
    /// How long it took.
    pub(crate) took: Duration,
    /// From sending it to the first piece of its text, if one came.
    pub(crate) first_text: Option<Duration>,
}

fn show_bounds(all: &Metrics, bounds: Bounds) {
    let shown = [
        ("taskfleet_worker_slots", "Calls that may go on at once.", bounds.slots),
        (
            "taskfleet_worker_outbox_max_outcomes",
            "Outcomes that may wait to be settled; at that many, new work is refused.",
            bounds.max_held,
        ),
        (
            "taskfleet_worker_outbox_max_bytes",
            "Bytes of outcomes that may wait to be settled; at that many, new work is refused.",
            bounds.max_held_bytes,
        ),
    ];
    for (name, help, bound) in shown {
        all.gauge(name, help).set(signed(bound));
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The figures, and the load that is looked at when somebody asks.
struct Watched {
    figures: Arc<Figures>,
    load: watch::Receiver<Load>,
}

#[async_trait]
impl Measured for Watched {
    async fn measure(&self) {
        let load = *self.load.borrow();
        self.figures.slots_in_use.set(signed(load.running));
        self.figures.outbox_outcomes.set(signed(load.held));
        self.figures.outbox_bytes.set(signed(load.held_bytes));
    }
}
