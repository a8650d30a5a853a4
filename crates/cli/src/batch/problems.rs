//! Lines that cannot be submitted: counted all, told in part.

use std::fmt::Display;

use taskfleet_proto::FieldError;

use super::input::Input;
use crate::output;

/// How many are told.
const TOLD: usize = 20;

/// What is wrong with an input.
#[derive(Debug, Default)]
pub(super) struct Problems {
    told: Vec<(u32, String)>,
    lines: u64,
}

impl Problems {
    /// Adds a line with what is wrong with it.
    pub(super) fn add(&mut self, line: u32, what: impl Display) {
        self.lines += 1;
        self.told.push((line, what.to_string()));
        if self.told.len() >= 2 * TOLD {
            self.cut();
        }
    }

    /// Adds a line with the fields of it that are wrong.
    pub(super) fn add_fields(&mut self, line: u32, errors: &[FieldError]) {
        let words = errors.iter().map(|error| format!("{} {}", error.field, error.problem));
        self.add(line, words.collect::<Vec<_>>().join("; "));
    }

    /// How many lines are wrong.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Names the first lines, and says how many more there are.
    pub(super) fn tell(&mut self, input: &Input) {
        self.cut();
        for (line, what) in &self.told {
            output::talk(&output::printable(&format!("{}: {what}", input.at(*line))));
        }
        let more = self.lines.saturating_sub(self.told.len() as u64);
        if more > 0 {
            output::talk(&format!("… and {more} more lines."));
        }
    }

    fn cut(&mut self) {
        self.told.sort();
        self.told.truncate(TOLD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut problems = Problems::default();
        for line in (1..=100).rev() {
            problems.add(line, "is wrong");
        }
        problems.cut();
        assert_eq!((problems.lines(), problems.told.len(), problems.told[0].0), (100, TOLD, 1));
    }
}
