//! What alerts and dashboard ask of the metrics.

use rusty_promql_parser::{
    ast::{BinaryExpr, Expr},
    expr,
    parser::selector::{LabelMatchOp, LabelMatcher, VectorSelector},
};
use serde_json::Value;

use super::{
    catalogue::Catalogue,
    scrape::{Families, Family},
};

const DASHBOARD: &str =
    include_str!("../../../../../deploy/observability/grafana/dashboards/taskfleet.json");

/// What Prometheus adds to whatever it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];
/// The series that it makes itself, and their labels.
const MADE: [(&str, &[&str]); 2] = [("up", &[]), ("ALERTS", &["alertname", "alertstate"])];

/// A query, taken apart.
pub(super) struct Query {
    place: String,
    selectors: Vec<VectorSelector>,
    /// Labels that results are grouped or matched by.
    grouped: Vec<String>,
}

/// All queries of the dashboard.
pub(super) fn dashboard() -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (title, target["expr"].as_str().unwrap()))
    });
    let shown = dashboard["annotations"]["list"].as_array().unwrap().iter();
    let shown = shown.map(|shown| ("annotation", shown["expr"].as_str().unwrap()));
    let parse = |(title, text): (&str, &str)| Query::parse(&format!("dashboard: {title}"), text);
    targets.chain(shown).map(parse).collect()
}

impl Query {
    /// Takes a query apart.
    ///
    /// # Panics
    /// When it is none. The parser refuses to group by `end`, which Prometheus does not: group
    /// without the other labels.
    pub(super) fn parse(place: &str, text: &str) -> Self {
        let text = text.replace("$__rate_interval", "5m").replace("$__range", "1h");
        let Ok(("", parsed)) = expr(text.trim()) else { panic!("{place}: not a query: {text}") };
        let mut query =
            Self { place: place.to_owned(), selectors: Vec::new(), grouped: Vec::new() };
        query.take(&parsed);
        query
    }

    fn take(&mut self, part: &Expr) {
        match part {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.selectors.push(matrix.selector.clone()),
            Expr::Call(call) => call.args.iter().for_each(|arg| self.take(arg)),
            Expr::Aggregation(aggregation) => {
                let grouping = aggregation.grouping.iter();
                self.grouped.extend(grouping.flat_map(|grouping| grouping.labels.clone()));
                self.take(&aggregation.expr);
            }
            Expr::Binary(binary) => self.take_both(binary),
            Expr::Unary(unary) => self.take(&unary.expr),
            Expr::Paren(inner) => self.take(inner),
            Expr::Subquery(subquery) => self.take(&subquery.expr),
            Expr::Number(_) | Expr::String(_) => {}
        }
    }

    fn take_both(&mut self, binary: &BinaryExpr) {
        let matching = binary.modifier.iter().filter_map(|modifier| modifier.matching.as_ref());
        for matching in matching {
            let brought = matching.group.iter().flat_map(|group| group.labels.clone());
            self.grouped.extend(matching.labels.iter().cloned().chain(brought));
        }
        self.take(&binary.lhs);
        self.take(&binary.rhs);
    }

    /// What it asks for and there is not.
    pub(super) fn check(&self, scraped: &Families, catalogue: &Catalogue) -> Vec<String> {
        let mut faults = Vec::new();
        let mut known: Vec<&str> = ADDED.to_vec();
        for selector in &self.selectors {
            let name = selector.name.as_deref().unwrap();
            if let Some((_, labels)) = MADE.iter().find(|(made, _)| *made == name) {
                known.extend(*labels);
                continue;
            }
            let Some((metric, family)) = scraped.behind(name) else {
                faults.push(format!("{}: there is no {name}", self.place));
                continue;
            };
            let labels = labels(name, family);
            for matcher in &selector.matchers {
                faults.extend(self.check_label(metric, matcher, &labels, catalogue));
            }
            known.extend(labels);
        }
        let strange = self.grouped.iter().filter(|label| !known.contains(&label.as_str()));
        faults.extend(strange.map(|label| format!("{}: none has the label {label}", self.place)));
        faults
    }

    fn check_label(
        &self,
        metric: &str,
        matcher: &LabelMatcher,
        labels: &[&str],
        catalogue: &Catalogue,
    ) -> Vec<String> {
        let (place, label) = (&self.place, &matcher.name);
        if !labels.contains(&label.as_str()) {
            return vec![format!("{place}: {metric} has no label {label}")];
        }
        let Some(allowed) = catalogue.values(metric, label) else { return Vec::new() };
        let strange = values(matcher).filter(|value| !allowed.contains(*value));
        strange.map(|value| format!("{place}: {label} of {metric} is never {value:?}")).collect()
    }
}

fn labels<'a>(series: &str, family: &'a Family) -> Vec<&'a str> {
    let own = family.labels.keys().map(String::as_str);
    let of_bucket = series.ends_with("_bucket").then_some("le");
    own.chain(of_bucket).chain(ADDED).collect()
}

/// The values that are asked for: one, or those of `one|two`.
fn values(matcher: &LabelMatcher) -> impl Iterator<Item = &str> {
    let regex = matches!(matcher.op, LabelMatchOp::RegexMatch | LabelMatchOp::RegexNotMatch);
    matcher.value.split(move |c| regex && c == '|')
}
