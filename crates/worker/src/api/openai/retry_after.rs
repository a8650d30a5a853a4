//! When a provider wants to be asked again.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;

use super::once::text;

/// What the headers ask for. `retry-after-ms` wins; `retry-after` is seconds, whole or not,
/// or a date.
pub(super) fn retry_after(headers: &HeaderMap, now_millis: u64) -> Option<Duration> {
    let millis = text(headers, "retry-after-ms").and_then(|value| number(value, 1_000.0));
    millis.or_else(|| {
        let value = text(headers, "retry-after")?.trim();
        number(value, 1.0).or_else(|| until(value, now_millis))
    })
}

fn number(value: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = value.trim().parse().ok()?;
    Duration::try_from_secs_f64(number / per_second).ok()
}

fn until(date: &str, now_millis: u64) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(date.saturating_sub(Duration::from_millis(now_millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        retry_after(&headers.collect(), 784_111_777_000)
    }

    #[test]
    fn every_form_is_understood_and_milliseconds_win() {
        assert_eq!(wait(&[("retry-after", "20")]), Some(Duration::from_secs(20)));
        assert_eq!(wait(&[("retry-after", "0.2")]), Some(Duration::from_millis(200)));
        let date = "Sun, 06 Nov 1994 08:50:37 GMT";
        assert_eq!(wait(&[("retry-after", date)]), Some(Duration::from_secs(60)));
        let both = [("retry-after", "20"), ("retry-after-ms", "250")];
        assert_eq!(wait(&both), Some(Duration::from_millis(250)));
        let broken = [("retry-after", "3"), ("retry-after-ms", "soon")];
        assert_eq!(wait(&broken), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_date_that_is_over_is_now_and_nonsense_is_nothing() {
        let past = "Sun, 06 Nov 1994 08:00:00 GMT";
        assert_eq!(wait(&[("retry-after", past)]), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "NaN", "1e400"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }
}
