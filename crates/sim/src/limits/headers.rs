//! `x-ratelimit-*`, as the real API writes them.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Where an account stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(super) requests: Option<Meter>,
    pub(super) tokens: Option<Meter>,
}

/// Where it stands with one limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    pub(super) limit: u32,
    pub(super) remaining: u64,
    /// Until all is there again.
    pub(super) reset: Duration,
}

impl Standing {
    /// Puts it on an answer.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        for (meter, kind) in [(self.requests, "requests"), (self.tokens, "tokens")] {
            let Some(meter) = meter else { continue };
            put(headers, &format!("x-ratelimit-limit-{kind}"), &meter.limit.to_string());
            put(headers, &format!("x-ratelimit-remaining-{kind}"), &meter.remaining.to_string());
            put(headers, &format!("x-ratelimit-reset-{kind}"), &go_duration(meter.reset));
        }
    }
}

/// When to come back: in whole seconds, and exactly.
pub(crate) fn retry_after(headers: &mut HeaderMap, wait: Duration) {
    let millis = wait.as_micros().div_ceil(1_000);
    put(headers, "retry-after", &millis.div_ceil(1_000).to_string());
    put(headers, "retry-after-ms", &millis.to_string());
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

/// As Go writes it: `0s`, `250ms`, `1.5s`, `6m0s`, `1h0m3s`.
pub(super) fn go_duration(duration: Duration) -> String {
    let millis = duration.as_micros().div_ceil(1_000);
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}.{:03}", rest / 1_000, rest % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let written = |millis| go_duration(Duration::from_millis(millis));
        let expected = ["0s", "250ms", "1s", "1.5s", "10s", "6m0s", "1h0m3.25s"];
        assert_eq!([0, 250, 1_000, 1_500, 10_000, 360_000, 3_603_250].map(written), expected);
    }
}
