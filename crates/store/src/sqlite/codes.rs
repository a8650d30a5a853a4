//! How enumerations and numbers stand in columns. A code, once written, keeps its meaning
//! for ever: add new ones at the end.

use std::time::Duration;

use rusqlite::{Result, Row, types::Type};
use taskfleet_core::{
    BootId, Lease, TaskId, Timestamp,
    failure::{Delivery, FailureKind},
    machine::LeaseEnd,
    outcome::Usage,
    task::{Endpoint, TaskState},
};

const DELIVERIES: [Delivery; 4] =
    [Delivery::NotSent, Delivery::Sent, Delivery::ResponseStarted, Delivery::Answered];

const ENDS: [LeaseEnd; 7] = [
    LeaseEnd::Completed,
    LeaseEnd::Failed,
    LeaseEnd::Throttled,
    LeaseEnd::WorkerLost,
    LeaseEnd::Requeued,
    LeaseEnd::Cancelled,
    LeaseEnd::Expired,
];

/// The partial indexes name the first two.
pub(super) const fn state(state: TaskState) -> u8 {
    match state {
        TaskState::Queued => 0,
        TaskState::Running => 1,
        TaskState::Completed => 2,
        TaskState::Failed => 3,
        TaskState::Cancelled => 4,
    }
}

pub(super) const fn delivery(delivery: Delivery) -> u8 {
    match delivery {
        Delivery::NotSent => 0,
        Delivery::Sent => 1,
        Delivery::ResponseStarted => 2,
        Delivery::Answered => 3,
    }
}

pub(super) const fn ending(end: LeaseEnd) -> u8 {
    match end {
        LeaseEnd::Completed => 0,
        LeaseEnd::Failed => 1,
        LeaseEnd::Throttled => 2,
        LeaseEnd::WorkerLost => 3,
        LeaseEnd::Requeued => 4,
        LeaseEnd::Cancelled => 5,
        LeaseEnd::Expired => 6,
    }
}

/// SQLite's integers are signed; the bits are kept.
pub(super) const fn signed(number: u64) -> i64 {
    number.cast_signed()
}

pub(super) const fn millis(time: Timestamp) -> i64 {
    signed(time.unix_millis())
}

/// At most 292 years.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A count of rows or bytes that no file exceeds.
pub(super) fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads columns one after the other.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) const fn new(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column as it is.
    pub(super) fn get<T: rusqlite::types::FromSql>(&mut self) -> Result<T> {
        let column = self.next;
        self.next += 1;
        self.row.get(column)
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        Ok(self.get::<i64>()?.cast_unsigned())
    }

    pub(super) fn time(&mut self) -> Result<Timestamp> {
        Ok(Timestamp::from_unix_millis(self.number()?))
    }

    pub(super) fn maybe_time(&mut self) -> Result<Option<Timestamp>> {
        let millis = self.get::<Option<i64>>()?;
        Ok(millis.map(|millis| Timestamp::from_unix_millis(millis.cast_unsigned())))
    }

    pub(super) fn duration(&mut self) -> Result<Duration> {
        Ok(Duration::from_nanos(self.number()?))
    }

    pub(super) fn lease(&mut self) -> Result<Lease> {
        Ok(Lease::new(self.number()?))
    }

    pub(super) fn task_id(&mut self) -> Result<TaskId> {
        Ok(TaskId::from_bytes(self.get()?))
    }

    pub(super) fn maybe_task_id(&mut self) -> Result<Option<TaskId>> {
        Ok(self.get::<Option<[u8; 16]>>()?.map(TaskId::from_bytes))
    }

    pub(super) fn boot_id(&mut self) -> Result<BootId> {
        Ok(BootId::from_bytes(self.get()?))
    }

    pub(super) fn state(&mut self) -> Result<TaskState> {
        let code = self.get::<u8>()?;
        self.known(TaskState::ALL.into_iter().find(|known| state(*known) == code))
    }

    pub(super) fn ending(&mut self) -> Result<LeaseEnd> {
        let code = self.get::<u8>()?;
        self.known(ENDS.into_iter().find(|known| ending(*known) == code))
    }

    pub(super) fn maybe_delivery(&mut self) -> Result<Option<Delivery>> {
        let Some(code) = self.get::<Option<u8>>()? else {
            return Ok(None);
        };
        self.known(DELIVERIES.into_iter().find(|known| delivery(*known) == code)).map(Some)
    }

    /// Empty: none.
    pub(super) fn maybe_text(&mut self) -> Result<Option<String>> {
        Ok(Some(self.get::<String>()?).filter(|text| !text.is_empty()))
    }

    pub(super) fn maybe_kind(&mut self) -> Result<Option<FailureKind>> {
        let Some(name) = self.get::<Option<String>>()? else {
            return Ok(None);
        };
        self.known(FailureKind::from_name(&name)).map(Some)
    }

    pub(super) fn maybe_endpoint(&mut self) -> Result<Option<Endpoint>> {
        let Some(path) = self.get::<Option<String>>()? else {
            return Ok(None);
        };
        self.known(Endpoint::from_path(&path)).map(Some)
    }

    /// Five columns; the first says whether there is any.
    pub(super) fn maybe_usage(&mut self) -> Result<Option<Usage>> {
        let mut tokens = [None; 5];
        for column in &mut tokens {
            *column = self.get::<Option<i64>>()?.map(i64::cast_unsigned);
        }
        let [input, output, total, cached, reasoning] = tokens;
        Ok(input.map(|input_tokens| Usage {
            input_tokens,
            output_tokens: output.unwrap_or_default(),
            total_tokens: total.unwrap_or_default(),
            cached_input_tokens: cached.unwrap_or_default(),
            reasoning_tokens: reasoning.unwrap_or_default(),
        }))
    }

    /// JSON; none is the default.
    pub(super) fn json<T: serde::de::DeserializeOwned + Default>(&mut self) -> Result<T> {
        let Some(text) = self.get::<Option<String>>()? else {
            return Ok(T::default());
        };
        self.known(serde_json::from_str(&text).ok())
    }

    /// The column before, if it said something that we know.
    pub(super) fn known<T>(&self, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| {
            let why = "an unknown value".into();
            rusqlite::Error::FromSqlConversionFailure(self.next - 1, Type::Null, why)
        })
    }
}

/// The five columns of a usage.
pub(super) fn usage(usage: Option<Usage>) -> [Option<i64>; 5] {
    usage.map_or([None; 5], |usage| {
        [
            usage.input_tokens,
            usage.output_tokens,
            usage.total_tokens,
            usage.cached_input_tokens,
            usage.reasoning_tokens,
        ]
        .map(|tokens| Some(signed(tokens)))
    })
}
