//! What happens to calls that ask for nothing special: faults by chance, and waits. It can be
//! changed while the simulator runs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::errors::ApiError;
use crate::marker::MAX_MILLIS;
use crate::settings::{Faults, Settings};

/// Faults and waits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Behaviour {
    pub(crate) faults: Faults,
    /// To the first byte.
    pub(crate) latency: Duration,
    /// The most that is added to that, by chance.
    pub(crate) jitter: Duration,
    /// Between two deltas.
    pub(crate) delay: Duration,
}

impl Behaviour {
    pub(crate) fn of(settings: &Settings) -> Self {
        let Settings { faults, latency, jitter, delay, .. } = *settings;
        Self { faults, latency, jitter, delay }
    }

    /// The behaviour in a JSON object; what it leaves out is 0.
    ///
    /// # Errors
    /// Names the field that is unknown or out of range.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let fields: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| invalid("expected a JSON object".to_owned()))?;
        let mut behaviour = Self::default();
        for (name, value) in &fields {
            behaviour.set(name, value)?;
        }
        behaviour.faults.check().map_err(|words| invalid(words.to_owned()))?;
        Ok(behaviour)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), ApiError> {
        let wait = match name {
            "latency_ms" => &mut self.latency,
            "jitter_ms" => &mut self.jitter,
            "delay_ms" => &mut self.delay,
            _ => return self.set_share(name, value),
        };
        let millis = value.as_u64().filter(|millis| *millis <= u64::from(MAX_MILLIS));
        let millis = millis.ok_or_else(|| {
            invalid(format!("`{name}` needs a whole number from 0 to {MAX_MILLIS}"))
        })?;
        *wait = Duration::from_millis(millis);
        Ok(())
    }

    fn set_share(&mut self, name: &str, value: &Value) -> Result<(), ApiError> {
        if !self.faults.set(name, 0.0) {
            let known = self.faults.shares().map(|(name, _)| name).join(", ");
            let words = format!(
                "`{name}` is unknown: there are {known}, latency_ms, jitter_ms and delay_ms"
            );
            return Err(invalid(words));
        }
        let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        let share = share.ok_or_else(|| invalid(format!("`{name}` needs a number from 0 to 1")))?;
        self.faults.set(name, share);
        Ok(())
    }

    /// What [`Behaviour::from_json`] reads.
    pub(crate) fn to_json(self) -> Value {
        let mut fields = Map::new();
        for (name, share) in self.faults.shares() {
            fields.insert(name.to_owned(), json!(share));
        }
        for (name, wait) in
            [("latency_ms", self.latency), ("jitter_ms", self.jitter), ("delay_ms", self.delay)]
        {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            fields.insert(name.to_owned(), json!(millis));
        }
        Value::Object(fields)
    }
}

fn invalid(words: String) -> ApiError {
    ApiError::invalid(None, Some("invalid_faults"), words)
}
