//! Metrics in Prometheus' text format, as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};

use rusty_promql_parser::{ast::Expr, expr};

/// One metric: its type, and the values of its labels.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) labels: BTreeMap<String, BTreeSet<String>>,
    samples: usize,
}

/// The metrics of one or more processes, by name.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<String, Family>);

impl Families {
    /// Adds what one process tells.
    pub(super) fn read(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(of_type) = line.strip_prefix("# TYPE ") {
                let (name, kind) = of_type.split_once(' ').unwrap();
                self.0.entry(name.to_owned()).or_default().kind = kind.to_owned();
            } else if !line.starts_with('#') {
                self.sample(line);
            }
        }
    }

    fn sample(&mut self, line: &str) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        // A series is written as it is asked for.
        let Ok(("", Expr::VectorSelector(series))) = expr(series) else { panic!("{line}") };
        let family = self.base(series.name.as_deref().unwrap()).to_owned();
        let family = self.0.get_mut(&family).unwrap();
        family.samples += 1;
        for label in series.matchers.into_iter().filter(|label| label.name != "le") {
            family.labels.entry(label.name).or_default().insert(label.value);
        }
    }

    /// The metric that a series of this name belongs to: a histogram has three.
    fn base<'a>(&self, series: &'a str) -> &'a str {
        let of_histogram = ["_bucket", "_sum", "_count"].into_iter();
        let mut bases = of_histogram.filter_map(|suffix| series.strip_suffix(suffix));
        bases
            .find(|base| self.0.get(*base).is_some_and(|it| it.kind == "histogram"))
            .unwrap_or(series)
    }

    /// The metric behind a series of this name, if there is one with a value.
    pub(super) fn behind(&self, series: &str) -> Option<(&str, &Family)> {
        let base = self.base(series);
        let found = self.0.get_key_value(base).filter(|(_, family)| family.samples > 0)?;
        // A histogram has no series of its bare name.
        let bare = base == series && found.1.kind == "histogram";
        (!bare).then_some((found.0.as_str(), found.1))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Family)> {
        self.0.iter().filter(|(_, family)| family.samples > 0)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Family> {
        self.0.get(name).filter(|family| family.samples > 0)
    }
}
