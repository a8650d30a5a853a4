//! Rate limits and keys, as clients see them.

use std::time::Duration;

use openai_sim::{Limits, Settings};
use serde_json::{Value, json};

use crate::support::{Reply, Running, chat, free_port};

async fn limited(requests: Option<u32>, tokens: Option<u32>) -> Running {
    let limits = Limits { requests, tokens, ..Limits::default() };
    Running::start_with(Settings { limits, ..free_port() }).await
}

#[tokio::test]
async fn every_answer_says_where_the_account_stands() {
    let sim = limited(Some(600), Some(60_000)).await;
    let mut body = chat("hello", true);
    body["max_tokens"] = json!(300);
    let reply = Reply::read(sim.post(&body)).await;
    assert_eq!(reply.status, 200);
    let header = |name: &str| reply.header(&format!("x-ratelimit-{name}")).unwrap().to_owned();
    assert_eq!(
        (header("limit-requests"), header("remaining-requests")),
        ("600".into(), "599".into())
    );
    assert_eq!(header("reset-requests"), "100ms");
    // Charged when it is admitted, with what it may use at most.
    assert_eq!(
        (header("limit-tokens"), header("remaining-tokens")),
        ("60000".into(), "59700".into())
    );
    assert_eq!(header("reset-tokens"), "300ms");
    for (prompt, status) in [("[sim:500]", 500), ("[sim:wrong]", 400)] {
        let reply = sim.whole(prompt).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("x-ratelimit-limit-requests"), Some("600"));
    }
    let unlimited = Running::start().await.whole("hello").await;
    assert_eq!(unlimited.header("x-ratelimit-limit-requests"), None);
}

#[tokio::test]
async fn a_burst_below_the_minutes_total_is_rejected_and_says_when_to_come_back() {
    let sim = limited(Some(60), None).await;
    assert_eq!(sim.as_task("t.1", "hello").await.status, 200);
    let reply = sim.as_task("t.2", "hello").await;
    assert_eq!((reply.status.as_u16(), reply.error_code()), (429, json!("rate_limit_exceeded")));
    assert_eq!(reply.json()["error"]["type"], "requests");
    assert_eq!(reply.header("retry-after"), Some("1"));
    let millis: u64 = reply.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((1..=1_000).contains(&millis), "{millis}");
    assert_eq!(sim.calls("/t").await["calls"]["t.2"]["outcomes"], json!(["429"]));
    tokio::time::sleep(Duration::from_millis(1_010)).await;
    assert_eq!(sim.as_task("t.3", "hello").await.status, 200);
}

#[tokio::test]
async fn a_long_prompt_is_charged_by_its_characters() {
    let sim = limited(None, Some(6_000)).await;
    let prompt = "x".repeat(8_000);
    let body = json!({"model": "m", "input": prompt});
    assert_eq!(sim.ask("/v1/embeddings", "t.1", &body).await.status, 200);
    let reply = sim.ask("/v1/responses", "t.2", &body).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["type"]), (429, &json!("tokens")));
    let never = json!({"model": "m", "input": "x".repeat(80_000)});
    let reply = sim.ask("/v1/responses", "t.3", &never).await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, None));
}

#[tokio::test]
async fn only_the_one_key_is_taken() {
    let key = Some("sk-right-1234567890".to_owned());
    let sim = Running::start_with(Settings { key, ..free_port() }).await;
    let with =
        async |key: &str| Reply::read(sim.post(&chat("hello", false)).bearer_auth(key)).await;
    assert_eq!(with("sk-right-1234567890").await.status, 200);
    let wrong = with("sk-wrong-1234567890").await;
    assert_eq!((wrong.status.as_u16(), wrong.error_code()), (401, json!("invalid_api_key")));
    let message = wrong.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("sk-w") && !message.contains("wrong"), "{message}");
    let missing = sim.whole("hello").await;
    assert_eq!((missing.status.as_u16(), missing.error_code()), (401, Value::Null));
    assert_eq!(Reply::read(sim.client.get(sim.url("/v1/models"))).await.status, 401);
    assert_eq!(sim.calls("").await["calls"]["-"]["outcomes"], json!(["200", "401", "401"]));
}
