//! docs/metrics.md, as whoever writes a query reads it.

use std::collections::{BTreeMap, BTreeSet};

use taskfleet_core::failure::FailureKind;

use super::scrape::{Families, Family};

const PAGE: &str = include_str!("../../../../../docs/metrics.md");

/// The metrics that are written of.
pub(super) struct Catalogue(BTreeMap<String, Entry>);

/// What is written of one.
struct Entry {
    kind: String,
    labels: BTreeMap<String, Values>,
}

/// The values that a label may have; `None`: any.
type Values = Option<BTreeSet<String>>;

impl Catalogue {
    pub(super) fn read() -> Self {
        let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
        Self(rows.map(entry).collect())
    }

    /// The values that this label of this metric may have, if they are few.
    pub(super) fn values(&self, metric: &str, label: &str) -> Option<&BTreeSet<String>> {
        self.0.get(metric)?.labels.get(label)?.as_ref()
    }

    /// What is written and not so, and what is so and not written.
    pub(super) fn compare(&self, scraped: &Families) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, entry) in &self.0 {
            match scraped.get(name) {
                Some(family) => faults.extend(entry.compare(name, family)),
                None => faults.push(format!("docs/metrics.md: there is no {name}")),
            }
        }
        let missing = scraped.iter().filter(|(name, _)| !self.0.contains_key(*name));
        faults.extend(missing.map(|(name, _)| format!("docs/metrics.md: {name} is missing")));
        faults.extend(kinds_that_are_missing());
        faults
    }
}

impl Entry {
    fn compare(&self, name: &str, family: &Family) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |words: String| faults.push(format!("docs/metrics.md: {name}: {words}"));
        if self.kind != family.kind {
            fault(format!("is a {}", family.kind));
        }
        let (written, there): (Vec<_>, Vec<_>) =
            (self.labels.keys().collect(), family.labels.keys().collect());
        if written != there {
            fault(format!("has the labels {there:?}"));
        }
        for (label, values) in &family.labels {
            if let Some(Some(written)) = self.labels.get(label) {
                for value in values.difference(written) {
                    fault(format!("{label} can be {value:?}"));
                }
            }
        }
        faults
    }
}

/// A row: name, type, unit, labels, words.
fn entry(row: &str) -> (String, Entry) {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [name, kind, _unit, labels, _words] = cells[..] else { panic!("five cells: {row}") };
    let labels = labels.split("; ").filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, values) = label.split_once(": ").expect(row);
        (name.trim_matches('`').to_owned(), allowed(values))
    });
    let entry = Entry { kind: kind.to_owned(), labels: labels.collect() };
    (name.trim_matches('`').to_owned(), entry)
}

fn allowed(words: &str) -> Values {
    match words {
        "any" => None,
        "of failure" => Some(kinds().chain([String::new()]).collect()),
        _ => Some(match words.strip_suffix(" or a kind of failure") {
            Some(words) => listed(words).chain(kinds()).collect(),
            None => listed(words).collect(),
        }),
    }
}

fn listed(words: &str) -> impl Iterator<Item = String> {
    words.split(", ").map(str::to_owned)
}

fn kinds() -> impl Iterator<Item = String> {
    FailureKind::ALL.into_iter().map(|kind| kind.name().to_owned())
}

fn kinds_that_are_missing() -> Vec<String> {
    let (_, words) = PAGE.split_once("## Kinds of failure").expect("a heading");
    let missing = kinds().filter(|kind| !words.contains(&format!("`{kind}`")));
    missing.map(|kind| format!("docs/metrics.md: the kind {kind} is missing")).collect()
}
