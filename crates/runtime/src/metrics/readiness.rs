//! Readiness as metrics, read when they are asked for.

use prometheus::{
    IntGauge, IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::valid;
use crate::health::Readiness;

/// `taskfleet_ready`, and `taskfleet_not_ready` for each part that keeps it from being 1.
pub(super) struct Shown {
    readiness: Readiness,
    descriptions: Vec<Desc>,
}

impl Shown {
    pub(super) fn new(readiness: Readiness) -> Self {
        let (ready, parts) = gauges();
        let descriptions = [ready.desc(), parts.desc()].concat().into_iter().cloned().collect();
        Self { readiness, descriptions }
    }
}

impl Collector for Shown {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (ready, parts) = gauges();
        let reasons = self.readiness.reasons();
        ready.set(reasons.is_empty().into());
        for part in reasons.keys() {
            parts.with_label_values(&[part]).set(1);
        }
        [ready.collect(), parts.collect()].concat()
    }
}

fn gauges() -> (IntGauge, IntGaugeVec) {
    let ready = IntGauge::new("taskfleet_ready", "1 while the service is ready for work, else 0.");
    let help = "1 for each part that keeps the service from being ready; /readyz says why.";
    let parts = IntGaugeVec::new(Opts::new("taskfleet_not_ready", help), &["part"]);
    (valid(ready), valid(parts))
}
