use super::*;

fn limiter(requests: Option<u32>, tokens: Option<u32>, span_seconds: u64) -> Limiter {
    Limiter::new(Limits { requests, tokens, span: Duration::from_secs(span_seconds) })
}

fn after(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

fn is_admitted(limiter: &Limiter, tokens: u32, now: Instant) -> bool {
    limiter.admit("m", tokens, now).unwrap().1.is_ok()
}

#[test]
fn sixty_a_minute_are_one_a_second() {
    let (limiter, start) = (limiter(Some(60), None, 1), Instant::now());
    assert!(is_admitted(&limiter, 1, start));
    let (_, rejected) = limiter.admit("m", 1, start).unwrap();
    let rejected = rejected.unwrap_err();
    assert_eq!(rejected.wait, Some(Duration::from_secs(1)));
    assert_eq!((rejected.error.kind, rejected.error.status.as_u16()), ("requests", 429));
    assert!(is_admitted(&limiter, 1, after(start, 1_000)));
    assert!(limiter.admit("another", 1, start).unwrap().1.is_ok(), "each model has its own");
}

#[test]
fn over_a_whole_minute_a_burst_is_as_large_as_the_limit() {
    let (limiter, start) = (limiter(Some(60), None, 60), Instant::now());
    assert!((0..60).all(|_| is_admitted(&limiter, 1, start)));
    assert!(!is_admitted(&limiter, 1, start));
}

#[test]
fn whoever_asks_again_and_again_uses_up_what_comes_back() {
    let (limiter, start) = (limiter(Some(60), None, 1), Instant::now());
    assert!(is_admitted(&limiter, 1, start));
    assert!((1..20).all(|n| !is_admitted(&limiter, 1, after(start, n * 500))));
    assert!(is_admitted(&limiter, 1, after(start, 21 * 500)), "after a second of silence");
}

#[test]
fn tokens_are_charged_and_a_large_call_is_paid_off_before_the_next() {
    let (limiter, start) = (limiter(None, Some(6_000), 1), Instant::now());
    // 100 a second: this one takes what ten seconds bring.
    assert!(is_admitted(&limiter, 1_000, start));
    let (_, rejected) = limiter.admit("m", 50, after(start, 1_000)).unwrap();
    let rejected = rejected.unwrap_err();
    assert_eq!((rejected.error.kind, rejected.wait.unwrap().as_millis()), ("tokens", 8_500));
    assert!(is_admitted(&limiter, 50, after(start, 9_500)));
    let (_, never) = limiter.admit("m", 6_001, after(start, 60_000)).unwrap();
    assert_eq!(never.unwrap_err().wait, None);
}

#[test]
fn without_limits_nothing_is_charged_or_told() {
    assert!(Limiter::new(Limits::default()).admit("m", 1, Instant::now()).is_none());
}
