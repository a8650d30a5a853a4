//! What was measured, printed and written.

use std::{fmt, path::Path, time::Duration};

use serde_json::{Map, Value, json};

/// All figures of a run.
pub(crate) struct Report {
    machine: Value,
    scenarios: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(machine: Value) -> Self {
        for (name, value) in machine.as_object().into_iter().flatten() {
            println!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        Self { machine, scenarios: Map::new() }
    }

    /// Prints them at once: a long run is watched.
    pub(crate) fn add(&mut self, figures: Figures) {
        println!("\n{}", figures.name);
        for line in &figures.lines {
            println!("  {line}");
        }
        self.scenarios.insert(figures.name.to_owned(), Value::Object(figures.values));
    }

    pub(crate) fn finish(self, file: Option<&Path>) {
        if let Some(file) = file {
            let all = json!({"machine": self.machine, "scenarios": self.scenarios});
            std::fs::write(file, format!("{all:#}\n")).unwrap();
        }
    }
}

/// What one scenario shows: lines for people, values for programs.
pub(crate) struct Figures {
    name: &'static str,
    lines: Vec<String>,
    values: Map<String, Value>,
}

impl Figures {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, lines: Vec::new(), values: Map::new() }
    }

    pub(crate) fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }
}

/// A number a second, without what nobody can read.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{per_second:.0}")
}

/// Where times lie.
pub(crate) struct Quantiles {
    sorted: Vec<Duration>,
}

impl Quantiles {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self { sorted: times }
    }

    /// What so many of a hundred stay below.
    pub(crate) fn at(&self, percent: usize) -> Duration {
        self.sorted[(self.sorted.len() * percent / 100).min(self.sorted.len() - 1)]
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "median_seconds": self.at(50).as_secs_f64(),
            "p99_seconds": self.at(99).as_secs_f64(),
            "longest_seconds": self.at(100).as_secs_f64(),
        })
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "median {:.2?}, p99 {:.2?}, longest {:.2?}",
            self.at(50),
            self.at(99),
            self.at(100)
        )
    }
}
