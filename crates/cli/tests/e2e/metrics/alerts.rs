//! The alerts, what is written of them, and what tries them out.

use serde::Deserialize;

const RULES: &str = include_str!("../../../../../deploy/observability/prometheus/alerts.yml");
const TESTS: &str = include_str!("../../../../../deploy/observability/prometheus/alerts.test.yml");
const PAGE: &str = include_str!("../../../../../docs/alerts.md");

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

/// One alert.
#[derive(Deserialize)]
pub(super) struct Alert {
    #[serde(rename = "alert")]
    pub(super) name: String,
    pub(super) expr: String,
    pub(super) labels: Labels,
    pub(super) annotations: Annotations,
}

#[derive(Deserialize)]
pub(super) struct Labels {
    pub(super) severity: String,
}

#[derive(Deserialize)]
pub(super) struct Annotations {
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) runbook: String,
}

/// All alerts, in their order.
pub(super) fn read() -> Vec<Alert> {
    let rules: Rules = serde_saphyr::from_str(RULES).unwrap();
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// Those that docs/alerts.md explains, in its order.
pub(super) fn explained() -> Vec<String> {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("### "));
    headings.map(str::to_owned).collect()
}

/// Those that are expected to fire by a test of the rules.
pub(super) fn tried() -> Vec<String> {
    let expected = TESTS.split("{alertname=\"").skip(1);
    expected.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}
