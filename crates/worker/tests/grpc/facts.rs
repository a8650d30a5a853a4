//! What an outcome says beside the answer: limits, budget and times.

use std::time::Duration;

use taskfleet_core::outcome::RateLimit;
use taskfleet_proto::worker::TaskRequest;

use crate::support::{Rig, limited_sim, settings};

#[tokio::test]
async fn the_limits_of_the_account_come_with_answers_and_with_refusals() {
    let rig = Rig::start_before(settings(), limited_sim(60, 60_000)).await;
    let supervisor = rig.supervisor().await;
    let good = supervisor.start(1, 1, "hello [sim:ok]").await.last().await;
    let limits = good.call().facts.rate_limits.expect("limits");
    let reset = Some(Duration::from_secs(1));
    assert_eq!(limits.requests, RateLimit { limit: Some(60), remaining: Some(59), reset });
    assert_eq!(limits.tokens.limit, Some(60_000));

    let refused = supervisor.start(2, 1, "hello [sim:ok]").await.last().await;
    assert_eq!(refused.failure().kind, taskfleet_core::failure::FailureKind::RateLimited);
    assert!(refused.failure().retry_after.is_some());
    assert_eq!(refused.call().facts.rate_limits.expect("limits").requests.limit, Some(60));

    // Held until it is settled, the same limits are older each time that they are told.
    let again = supervisor.send(supervisor.attach(1, 1, 0)).await.unwrap().last().await;
    assert!(again.call().facts.rate_limits.expect("limits").age >= limits.age);
}

#[tokio::test]
async fn a_server_without_limits_says_none() {
    let rig = Rig::start().await;
    let last = rig.supervisor().await.start(1, 1, "hello").await.last().await;
    assert_eq!(last.call().facts.rate_limits, None);
}

#[tokio::test]
async fn the_budget_is_the_tasks_own_or_that_of_account_and_model() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let plain = supervisor.start(1, 1, "hello").await.last().await;
    let (account, model) = plain.call().facts.limit_key.split_once('/').expect("account/model");
    assert_eq!((account.len(), model), (12, "gpt-4o-mini"));

    let other = TaskRequest { api_key: "another".into(), ..supervisor.request(2, 1, "hello") };
    let other = supervisor.send(other).await.unwrap().last().await;
    assert!(!other.call().facts.limit_key.starts_with(account), "another key is another account");
    assert!(!other.call().facts.limit_key.contains("another"));

    let named = TaskRequest { limit_key: "team-a".into(), ..supervisor.request(3, 1, "[sim:500]") };
    let named = supervisor.send(named).await.unwrap().last().await;
    assert_eq!(named.call().facts.limit_key, "team-a");
}

#[tokio::test]
async fn times_are_told_of_good_and_of_bad_calls() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let markers = ["ok,deltas=3,delay=30", "500", "cut,delay=1"];
    for (number, marker) in (1..).zip(markers) {
        let prompt = format!("[sim:{marker},latency=50]");
        let last = supervisor.start(number, 1, &prompt).await.last().await;
        let (first_byte, took) =
            (last.call().facts.first_byte.unwrap(), last.call().facts.took.unwrap());
        assert!(first_byte >= Duration::from_millis(49), "{marker}: {first_byte:?}");
        assert!(took >= first_byte, "{marker}: {took:?}");
    }
    let request = TaskRequest { remaining_ms: 100, ..supervisor.request(9, 1, "[sim:hang]") };
    let silent = supervisor.send(request).await.unwrap().last().await;
    assert_eq!(silent.call().facts.first_byte, None);
    assert!(silent.call().facts.took.unwrap() >= Duration::from_millis(99));
}
