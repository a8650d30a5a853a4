use super::*;
use crate::outcome::{Call, Payload};

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

fn failed(kind: FailureKind, delivery: Delivery) -> Outcome {
    Outcome::failed(kind, delivery, "")
}

fn unreachable() -> Outcome {
    failed(FailureKind::Connection, Delivery::NotSent)
}

fn completed() -> Outcome {
    let end = End::Completed(Payload::Text(String::new()));
    Outcome { end, call: Call::new(Delivery::Answered) }
}

fn connection(words: &str) -> Cause {
    Cause::Connection(words.into())
}

/// Ends an execution that began a moment before.
fn end(conduct: &mut Conduct, outcome: &Outcome, now: u64) -> Option<Duration> {
    conduct.ended(outcome, at(now - 1), at(now), Jitter::new(1.0))
}

#[test]
fn five_failures_in_a_row_set_a_worker_aside_and_four_do_not() {
    let mut conduct = Conduct::default();
    for now in 1..5 {
        assert_eq!(end(&mut conduct, &unreachable(), now), None);
        assert_eq!(conduct.allowance(at(now)), Allowance::All);
    }
    assert_eq!(end(&mut conduct, &unreachable(), 5), Some(FIRST_PAUSE));
    let left = Duration::from_millis(600);
    assert_eq!(conduct.allowance(at(405)), Allowance::Nothing(connection(""), left));
    assert_eq!(conduct.allowance(at(1_005)), Allowance::One(connection("")));
}

#[test]
fn an_answer_of_the_api_between_them_starts_the_count_anew() {
    let mut conduct = Conduct::default();
    let wrong_key = failed(FailureKind::Authentication, Delivery::ResponseStarted);
    let answers = [
        completed(),
        failed(FailureKind::RateLimited, Delivery::ResponseStarted),
        failed(FailureKind::InvalidRequest, Delivery::ResponseStarted),
    ];
    for answer in &answers {
        for now in 1..5 {
            assert_eq!(end(&mut conduct, &wrong_key, now), None);
        }
        end(&mut conduct, answer, 5);
    }
    assert_eq!(conduct.allowance(at(6)), Allowance::All);
}

#[test]
fn what_says_nothing_of_the_worker_neither_counts_nor_clears() {
    let mut conduct = Conduct::default();
    let cancelled = Outcome { end: End::Cancelled, call: Call::new(Delivery::Sent) };
    let not_sent = failed(FailureKind::InvalidRequest, Delivery::NotSent);
    for now in 1..5 {
        assert_eq!(end(&mut conduct, &unreachable(), now), None);
        assert_eq!(end(&mut conduct, &cancelled, now), None);
        assert_eq!(end(&mut conduct, &not_sent, now), None);
    }
    assert!(end(&mut conduct, &unreachable(), 9).is_some());
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_a_minute_and_a_good_one_clears_it() {
    let mut conduct = Conduct::default();
    let mut now = 1;
    for _ in 0..4 {
        end(&mut conduct, &unreachable(), now);
    }
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        let pause = end(&mut conduct, &unreachable(), now).unwrap();
        assert_eq!(pause, Duration::from_secs(seconds));
        now += seconds * 1_000 + 10;
    }
    end(&mut conduct, &completed(), now);
    assert_eq!(conduct.allowance(at(now)), Allowance::All);
    assert_eq!(end(&mut conduct, &unreachable(), now), None, "five are needed again");
}

#[test]
fn what_ran_already_when_the_worker_was_set_aside_lengthens_and_ends_no_pause() {
    let mut conduct = Conduct::default();
    for _ in 0..5 {
        end(&mut conduct, &unreachable(), 10);
    }
    for late in [11, 500, 5_000] {
        let jitter = Jitter::new(1.0);
        assert_eq!(conduct.ended(&unreachable(), at(9), at(late), jitter), None);
        assert_eq!(conduct.ended(&completed(), at(9), at(late), jitter), None);
    }
    assert!(matches!(conduct.allowance(at(11)), Allowance::Nothing(..)));
    assert_eq!(conduct.allowance(at(5_000)), Allowance::One(connection("")));
}

#[test]
fn one_refusal_to_understand_sets_aside_at_once_and_pauses_are_jittered() {
    let mut conduct = Conduct::default();
    let pause = conduct.not_understood(at(1), Jitter::new(0.0)).unwrap();
    assert_eq!(pause, FIRST_PAUSE / 2, "never less than half of it");
    assert_eq!(conduct.not_understood(at(2), Jitter::new(0.0)), None, "it is known already");
}

#[test]
fn the_cause_is_told_in_the_words_of_the_last_failure_and_bounded() {
    let mut conduct = Conduct::default();
    let fails = |words: &str| Outcome::failed(FailureKind::Connection, Delivery::NotSent, words);
    for now in 1..=5 {
        end(&mut conduct, &fails(&format!("no host {now}")), now);
    }
    let Allowance::Nothing(cause, _) = conduct.allowance(at(6)) else { panic!("not set aside") };
    assert_eq!(cause.to_string(), "its last calls could not reach the model API: no host 5");
    end(&mut conduct, &fails(&"ü".repeat(1_000)), 2_000);
    let Allowance::Nothing(cause, _) = conduct.allowance(at(2_001)) else { panic!("it failed") };
    assert_eq!(cause, connection(&"ü".repeat(150)));
}
