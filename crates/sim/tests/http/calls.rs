//! What `/sim/calls` tells.

use serde_json::json;

use crate::support::{Reply, Running, chat};

#[tokio::test]
async fn calls_are_told_by_task_and_lease() {
    let sim = Running::start().await;
    sim.as_task("a.1", "[sim:500,ok]").await;
    sim.as_task("a.2", "[sim:500,ok]").await;
    sim.as_task("b.7", "[sim:cut]").await;
    sim.as_task("b.7", "[sim:wrong]").await;
    sim.whole("hello").await;
    let ended = |count: u32, outcomes: &[&str]| json!({"count": count, "open": 0, "closed_early": 0, "outcomes": outcomes});
    let calls = json!({
        "a.1": ended(1, &["500"]),
        "a.2": ended(1, &["200"]),
        "b.7": ended(2, &["cut", "400"]),
        "-": ended(1, &["200"]),
    });
    let expected = json!({"total": 5, "open": 0, "closed_early": 0, "calls": calls});
    assert_eq!(sim.calls("").await, expected);
    let task = json!({"a.1": calls["a.1"], "a.2": calls["a.2"]});
    let expected = json!({"total": 2, "open": 0, "closed_early": 0, "calls": task});
    assert_eq!(sim.calls("/a").await, expected);
    assert_eq!(sim.calls("/nobody").await["total"], 0);
}

#[tokio::test]
async fn a_client_that_leaves_is_counted() {
    let sim = Running::start().await;
    let request = sim.post(&chat("[sim:deltas=1000,delay=50]", true));
    let mut response = request.header("X-Client-Request-Id", "t.1").send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    assert_eq!(sim.calls("/t").await["calls"]["t.1"]["open"], 1);
    drop(response);
    let calls = sim.until_calls(|calls| calls["open"] == 0).await;
    let tally = json!({"count": 1, "open": 0, "closed_early": 1, "outcomes": ["200"]});
    assert_eq!(calls["calls"]["t.1"], tally);
    assert_eq!(calls["closed_early"], 1);
}

#[tokio::test]
async fn a_client_that_leaves_during_the_latency_is_counted() {
    let sim = Running::start().await;
    let request = sim.post(&chat("[sim:latency=60000]", false));
    let timeout = std::time::Duration::from_millis(100);
    assert!(request.timeout(timeout).send().await.is_err());
    sim.until_calls(|calls| calls["open"] == 0 && calls["closed_early"] == 1).await;
}

#[tokio::test]
async fn a_reset_forgets_calls_and_steps() {
    let sim = Running::start().await;
    assert_eq!(sim.as_task("a.1", "[sim:500,ok]").await.status, 500);
    let reset = Reply::read(sim.client.delete(sim.url("/sim/calls"))).await;
    assert_eq!(reset.status, 204);
    assert_eq!(sim.calls("").await["total"], 0);
    assert_eq!(sim.as_task("a.2", "[sim:500,ok]").await.status, 500);
}
