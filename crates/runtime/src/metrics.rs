//! What a service measures of itself, for Prometheus: names and units by
//! <https://prometheus.io/docs/practices/naming/>.
//!
//! Labels are bounded: never an id, a prompt, or words of others.

mod buckets;
mod readiness;

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

pub use buckets::{CALLS, COUNTS, LIVES, QUICK, WAITS};

use crate::health::Readiness;

/// The metrics of one service. Clones are the same ones.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Those that every service has: its version, the process's own figures, and whether it
    /// is ready.
    #[must_use]
    pub fn new(version: &str, readiness: Readiness) -> Self {
        let metrics = Self { registry: Registry::new() };
        let info = "The version that runs; always 1.";
        metrics
            .gauges("taskfleet_build_info", info, &["version"])
            .with_label_values(&[version])
            .set(1);
        // Elsewhere the process does not tell.
        #[cfg(target_os = "linux")]
        metrics.register(prometheus::process_collector::ProcessCollector::for_self());
        metrics.register(readiness::Shown::new(readiness));
        metrics
    }

    /// A counter; its name ends with `_total`.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(valid(IntCounter::new(name, help)))
    }

    /// A counter for each combination of labels.
    #[must_use]
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(valid(IntCounterVec::new(Opts::new(name, help), labels)))
    }

    /// A number that goes up and down.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(valid(IntGauge::new(name, help)))
    }

    /// A gauge in seconds, or parts of them.
    #[must_use]
    pub fn seconds(&self, name: &str, help: &str) -> Gauge {
        self.registered(valid(Gauge::new(name, help)))
    }

    /// A gauge for each combination of labels.
    #[must_use]
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(valid(IntGaugeVec::new(Opts::new(name, help), labels)))
    }

    /// How values are spread over these buckets' upper bounds.
    #[must_use]
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.registered(valid(Histogram::with_opts(spread(name, help, buckets))))
    }

    /// A histogram for each combination of labels.
    #[must_use]
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        self.registered(valid(HistogramVec::new(spread(name, help, buckets), labels)))
    }

    /// All of them as text, format 0.0.4.
    ///
    /// # Errors
    /// When a metric has no consistent form, which is a defect.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    fn registered<C: Collector + Clone + 'static>(&self, metric: C) -> C {
        self.register(metric.clone());
        metric
    }

    /// Metrics that are made when somebody looks.
    pub fn register(&self, metric: impl Collector + 'static) {
        valid(self.registry.register(Box::new(metric)));
    }
}

fn spread(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(buckets.to_vec())
}

/// A metric with these constants for name and labels.
///
/// # Panics
/// When one of them is wrong or used twice, which shows at the first start.
pub fn valid<T>(metric: Result<T, prometheus::Error>) -> T {
    metric.unwrap_or_else(|error| panic!("a metric is defined wrongly: {error}"))
}
