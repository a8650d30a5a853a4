//! `/sim/faults`: what is changed while the simulator runs.

use std::time::Duration;

use openai_sim::{Faults, Settings};
use serde_json::{Value, json};

use crate::support::{Reply, Running, free_port};

async fn put(sim: &Running, faults: &Value) -> Reply {
    Reply::read(sim.client.put(sim.url("/sim/faults")).json(faults)).await
}

async fn get(sim: &Running) -> Value {
    Reply::read(sim.client.get(sim.url("/sim/faults"))).await.json()
}

#[tokio::test]
async fn faults_take_effect_for_the_next_call_and_go_again() {
    let sim = Running::start().await;
    assert_eq!(sim.whole("hello").await.status, 200);
    for (fault, status) in [("500", 500), ("503", 503), ("429", 429), ("quota", 429)] {
        let set = put(&sim, &json!({ fault: 1 })).await;
        assert_eq!((set.status.as_u16(), set.json()), (200, get(&sim).await));
        assert_eq!(sim.whole("hello").await.status, status, "{fault}");
    }
    assert_eq!(sim.whole("hello").await.error_code(), "insufficient_quota");
    assert_eq!(sim.whole("[sim:ok]").await.status, 200, "what has steps is exempt");
    put(&sim, &json!({"errmid": 1})).await;
    assert_eq!(sim.whole("hello").await.error_code(), "server_error");
    put(&sim, &json!({})).await;
    assert_eq!(sim.whole("hello").await.status, 200);
}

#[tokio::test]
async fn latency_and_jitter_take_effect_too() {
    let sim = Running::start().await;
    put(&sim, &json!({"latency_ms": 40, "jitter_ms": 10})).await;
    let started = tokio::time::Instant::now();
    sim.whole("hello").await;
    assert!(started.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn what_was_set_at_the_start_is_told() {
    let faults = Faults { cut: 0.5, ..Faults::default() };
    let settings = Settings { faults, delay: Duration::from_millis(7), ..free_port() };
    let told = get(&Running::start_with(settings).await).await;
    assert_eq!(
        (&told["cut"], &told["delay_ms"], &told["500"]),
        (&json!(0.5), &json!(7), &json!(0.0))
    );
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let sim = Running::start().await;
    put(&sim, &json!({"hang": 0.25})).await;
    let before = get(&sim).await;
    let cases = [
        (json!({"501": 0.1}), "`501`"),
        (json!({"500": 1.5}), "`500`"),
        (json!({"cut": "half"}), "`cut`"),
        (json!({"500": 0.1, "latency_ms": -1}), "`latency_ms`"),
        (json!({"jitter_ms": 3_600_001}), "`jitter_ms`"),
        (json!({"500": 0.6, "cut": 0.6}), "add up"),
        (json!([1]), "object"),
    ];
    for (faults, named) in cases {
        let refused = put(&sim, &faults).await;
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(refused.status, 400, "{faults}");
        assert!(message.contains(named), "{faults}: {message}");
    }
    assert_eq!(get(&sim).await, before);
}
