//! Requests that the real API refuses.

use serde_json::{Value, json};

use crate::support::{Reply, Running, chat};

async fn refused(sim: &Running, body: Value) -> (u16, Value, Value) {
    let reply = Reply::read(sim.post(&body)).await;
    let error = reply.json()["error"].clone();
    assert_eq!(error["type"], "invalid_request_error");
    assert!(!error["message"].as_str().unwrap().is_empty());
    (reply.status.as_u16(), error["param"].clone(), error["code"].clone())
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let sim = Running::start().await;
    for body in ["", "{", "hello", "{\"model\":"] {
        let url = sim.url("/v1/chat/completions");
        let reply = Reply::read(sim.client.post(url).body(body)).await;
        assert_eq!(reply.status, 400);
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains("JSON"));
    }
    assert_eq!(sim.calls("").await["calls"]["-"]["outcomes"], json!(["400", "400", "400", "400"]));
}

#[tokio::test]
async fn fields_that_are_missing_or_wrong_are_named() {
    let sim = Running::start().await;
    let missing = json!("missing_required_parameter");
    let messages = json!([{"role": "user", "content": "hello"}]);
    let answer = refused(&sim, json!({"model": "m"})).await;
    assert_eq!(answer, (400, json!("messages"), missing.clone()));
    let answer = refused(&sim, json!({"messages": messages})).await;
    assert_eq!(answer, (400, json!("model"), missing));
    let answer = refused(&sim, json!({"model": "m", "messages": []})).await;
    assert_eq!(answer, (400, json!("messages"), json!("empty_array")));
    let answer = refused(&sim, json!({"model": "m", "messages": messages, "max_tokens": 0})).await;
    assert_eq!(answer, (400, json!("max_tokens"), json!("integer_below_min_value")));
    let answer = refused(&sim, json!({"model": "m", "messages": "hello"})).await;
    assert_eq!(answer, (400, Value::Null, json!("invalid_type")));
    let answer = refused(&sim, json!({"model": "m", "messages": messages, "n": 2})).await;
    assert_eq!(answer, (400, json!("n"), json!("unsupported_value")));
}

#[tokio::test]
async fn fields_that_the_simulator_does_not_know_are_taken() {
    let sim = Running::start().await;
    let mut body = chat("hello\n\"there\" 🙂", false);
    body["temperature"] = json!(0.5);
    body["tools"] = json!([{"type": "function"}]);
    body["stream"] = Value::Null;
    body["model"] = json!("a \"quoted\" model");
    let reply = Reply::read(sim.post(&body)).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["model"]), (200, &body["model"]));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let sim = Running::start().await;
    let body = chat(&"x".repeat(17 * 1024 * 1024), false);
    // The refusal may come before the whole request is sent; reqwest then reports either.
    match sim.post(&body).send().await {
        Ok(response) => assert_eq!(response.status(), 413),
        Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
    }
    assert_eq!(sim.whole("hello").await.status, 200);
}

#[tokio::test]
async fn unknown_endpoints_and_methods_get_an_error_object() {
    let sim = Running::start().await;
    let reply = Reply::read(sim.client.get(sim.url("/v1/files"))).await;
    assert_eq!((reply.status.as_u16(), reply.error_code()), (404, json!("unknown_url")));
    let reply = Reply::read(sim.client.get(sim.url("/v1/chat/completions"))).await;
    assert_eq!((reply.status.as_u16(), reply.error_code()), (405, json!("method_not_supported")));
}
