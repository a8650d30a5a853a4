//! Numbers that an operator sets, and what they may be.

use std::{fmt, ops::RangeInclusive, time::Duration};

use config::{Map, Value};

use super::Section;

/// A setting that is a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    key: &'static str,
    value: Option<f64>,
    range: RangeInclusive<f64>,
    unit: &'static str,
}

impl Number {
    /// A whole number of some unit: "tasks", "ms".
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ranges end far below 2^53")]
    pub fn whole(
        key: &'static str,
        value: u64,
        range: RangeInclusive<u64>,
        unit: &'static str,
    ) -> Self {
        let range = *range.start() as f64..=*range.end() as f64;
        Self { key, value: Some(value as f64), range, unit }
    }

    /// A duration in seconds, whole or not; `None`: not set.
    #[must_use]
    pub fn seconds(
        key: &'static str,
        value: impl Into<Option<Duration>>,
        range: RangeInclusive<f64>,
    ) -> Self {
        let value = value.into().map(|duration| duration.as_secs_f64());
        Self { key, value, range, unit: "seconds" }
    }

    /// The setting's name.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The least and the most that it may be.
    #[must_use]
    pub fn range(&self) -> &RangeInclusive<f64> {
        &self.range
    }

    /// "1 to 10000 calls"
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} to {} {}", self.range.start(), self.range.end(), self.unit)
    }

    fn check(&self) -> Result<(), OutOfRange> {
        match self.value {
            Some(value) if !self.range.contains(&value) => {
                Err(OutOfRange { number: self.clone(), value })
            }
            _ => Ok(()),
        }
    }
}

/// A number is out of its range: names the setting, its value, and what it may be.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfRange {
    number: Number,
    value: f64,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, value } = self;
        write!(f, "{} is {value}: it must be from {}", number.key, number.words())
    }
}

impl std::error::Error for OutOfRange {}

/// Whether what is written for numbers is within their ranges: before it is read as what the
/// setting is, for a negative number fits into no unsigned one, and the words for that name no
/// range. What is no number at all is told when it is read.
pub(super) fn check_written<T: Section>(own: &Map<String, Value>) -> Result<(), OutOfRange> {
    T::default().numbers().into_iter().try_for_each(|number| {
        let text = own.get(number.key).and_then(|value| value.clone().into_string().ok());
        let value = text.and_then(|text| text.trim().parse().ok());
        Number { value, ..number }.check()
    })
}

/// Whether every number is within its range.
///
/// # Errors
/// The first that is not.
pub fn check(settings: &impl Section) -> Result<(), OutOfRange> {
    settings.numbers().iter().try_for_each(Number::check)
}
