//! What an answer's headers say of the account's limits.

use std::time::Duration;

use http::HeaderMap;
use taskfleet_core::outcome::{RateLimit, RateLimits};

use super::once::text;

/// The limits in `x-ratelimit-*`, as they came; `None` when there is nothing that can be read.
pub(super) fn rate_limits(headers: &HeaderMap) -> Option<RateLimits> {
    let limits = RateLimits {
        age: Duration::ZERO,
        requests: limit(headers, &OF_REQUESTS),
        tokens: limit(headers, &OF_TOKENS),
    };
    (limits != RateLimits::default()).then_some(limits)
}

/// The headers of one limit.
struct Names {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

const OF_REQUESTS: Names = Names {
    limit: "x-ratelimit-limit-requests",
    remaining: "x-ratelimit-remaining-requests",
    reset: "x-ratelimit-reset-requests",
};
const OF_TOKENS: Names = Names {
    limit: "x-ratelimit-limit-tokens",
    remaining: "x-ratelimit-remaining-tokens",
    reset: "x-ratelimit-reset-tokens",
};

fn limit(headers: &HeaderMap, names: &Names) -> RateLimit {
    let header = |name: &str| text(headers, name).map(str::trim);
    RateLimit {
        limit: header(names.limit).and_then(|value| value.parse().ok()),
        remaining: header(names.remaining).and_then(|value| value.parse().ok()),
        reset: header(names.reset).and_then(duration),
    }
}

/// A duration as Go writes it (`1s`, `6m0s`, `250ms`, `1h2m3.5s`), or a bare number of seconds.
fn duration(text: &str) -> Option<Duration> {
    if text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
    {
        return seconds(text, 1.0);
    }
    let (mut rest, mut total) = (text, None);
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let part = seconds(number, unit_seconds(unit)?)?;
        total = Some(part.checked_add(total.unwrap_or_default())?);
        rest = after;
    }
    total
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "d" => 86_400.0,
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

fn seconds(number: &str, unit: f64) -> Option<Duration> {
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("1s", 1_000),
            ("6m0s", 360_000),
            ("250ms", 250),
            ("1h2m3.5s", 3_723_500),
            ("0s", 0),
            ("1d", 86_400_000),
            ("20", 20_000),
            ("0.5", 500),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        let date = "2026-11-22T11:00:00Z";
        for nonsense in ["", "-1", "soon", "s", "1x", "-5s", ".s", "1s2", "1e400s", date] {
            assert_eq!(millis(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_came_is_kept_and_nonsense_is_nothing() {
        let read = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
            rate_limits(&headers.collect())
        };
        let limits = read(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "-1"),
            ("x-ratelimit-reset-requests", "never"),
            ("x-ratelimit-limit-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        let requests = RateLimit { limit: Some(60), remaining: Some(-1), reset: None };
        let reset = Some(Duration::from_secs(360));
        let tokens = RateLimit { limit: Some(0), remaining: None, reset };
        assert_eq!(limits, Some(RateLimits { age: Duration::ZERO, requests, tokens }));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-ratelimit-limit-requests", "many")]), None);
    }
}
