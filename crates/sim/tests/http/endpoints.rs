//! The endpoints beside chat completions.

use openai_sim::digest;
use serde_json::{Value, json};

use crate::support::{Reply, Running};

const RESPONSES: &str = "/v1/responses";
const EMBEDDINGS: &str = "/v1/embeddings";

fn response(input: &str) -> Value {
    json!({"model": "m", "input": input})
}

fn text(reply: &Reply) -> String {
    reply.json()["output"][0]["content"][0]["text"].as_str().unwrap().to_owned()
}

fn vector(reply: &Reply, index: usize) -> Vec<f64> {
    let json = reply.json();
    let numbers = json["data"][index]["embedding"].as_array().unwrap();
    numbers.iter().map(|number| number.as_f64().unwrap()).collect()
}

#[tokio::test]
async fn a_response_carries_the_digest_of_what_the_user_said() {
    let sim = Running::start().await;
    let messages = json!([
        {"role": "user", "content": "first"},
        {"type": "reasoning", "summary": []},
        {"role": "user", "content": [{"type": "input_text", "text": "sec"}, {"type": "input_text", "text": "ond"}]},
    ]);
    for (input, prompt) in [(json!("hello"), "hello"), (messages, "second")] {
        let reply = sim.ask(RESPONSES, "t.1", &json!({"model": "m", "input": input})).await;
        assert!(text(&reply).starts_with(&format!("digest:{} ", digest(prompt))), "{}", reply.body);
        assert_eq!(reply.json()["status"], "completed");
    }
}

#[tokio::test]
async fn a_response_ends_in_the_ways_of_its_api() {
    let sim = Running::start().await;
    let cases = [
        ("[sim:length]", "incomplete", json!({"reason": "max_output_tokens"})),
        ("[sim:filter]", "incomplete", json!({"reason": "content_filter"})),
        ("[sim:errmid]", "failed", Value::Null),
        ("[sim:eof]", "", Value::Null),
    ];
    for (input, status, details) in cases {
        let json = sim.ask(RESPONSES, "t.1", &response(input)).await.json();
        assert_eq!(json["status"].as_str().unwrap_or(""), status, "{input}");
        assert_eq!(json["incomplete_details"], details, "{input}");
    }
    let mut body = response("hello");
    body["max_output_tokens"] = json!(3);
    let cut = sim.ask(RESPONSES, "t.1", &body).await.json();
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(cut["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn the_same_text_has_the_same_vector_of_length_one() {
    let sim = Running::start().await;
    let ask = async |input: Value| {
        sim.ask(EMBEDDINGS, "t.1", &json!({"model": "m", "input": input, "dimensions": 16})).await
    };
    let both = ask(json!(["a", "b"])).await;
    let one = ask(json!("b")).await;
    assert_eq!(vector(&both, 1), vector(&one, 0));
    assert_ne!(vector(&both, 0), vector(&both, 1));
    let length: f64 = vector(&one, 0).iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-3, "{length}");
    let tokens = ask(json!([[1, 2], [3]])).await.json();
    assert_eq!(
        (tokens["data"].as_array().unwrap().len(), &tokens["usage"]["prompt_tokens"]),
        (2, &json!(3))
    );
    let plain = sim.ask(EMBEDDINGS, "t.1", &json!({"model": "m", "input": "a"})).await;
    assert_eq!(vector(&plain, 0).len(), 1536);
}

#[tokio::test]
async fn embeddings_come_in_base64_when_asked() {
    let sim = Running::start().await;
    let body = json!({"model": "m", "input": "a", "dimensions": 4, "encoding_format": "base64"});
    let encoded = sim.ask(EMBEDDINGS, "t.1", &body).await.json();
    // Four floats are sixteen bytes.
    assert_eq!(encoded["data"][0]["embedding"].as_str().unwrap().len(), 24);
}

#[tokio::test]
async fn markers_and_counts_work_at_every_endpoint() {
    let sim = Running::start().await;
    let prompt = "[sim:500,429ms:7,cut,garbage,ok]";
    let bodies = [(RESPONSES, response(prompt)), (EMBEDDINGS, response(prompt))];
    for (number, (path, body)) in bodies.iter().enumerate() {
        let id = format!("t{number}.1");
        let mut seen = Vec::new();
        for _ in 0..5 {
            let reply = sim.ask(path, &id, body).await;
            seen.push((reply.status.as_u16(), reply.broke, reply.body == "{not json"));
        }
        let expected =
            [(500, false, false), (429, false, false), (200, true, false), (200, false, true)];
        assert_eq!(seen[..4], expected, "{path}");
        assert_eq!(seen[4], (200, false, false), "{path}");
        let outcomes = json!(["500", "429", "cut", "garbage", "200"]);
        assert_eq!(sim.calls(&format!("/t{number}")).await["calls"][id]["outcomes"], outcomes);
    }
}

#[tokio::test]
async fn fields_that_are_missing_or_wrong_are_named_here_too() {
    let sim = Running::start().await;
    let cases = [
        (RESPONSES, json!({"input": "a"}), "model"),
        (RESPONSES, json!({"model": "m"}), "input"),
        (
            RESPONSES,
            json!({"model": "m", "input": "a", "max_output_tokens": 0}),
            "max_output_tokens",
        ),
        (EMBEDDINGS, json!({"input": "a"}), "model"),
        (EMBEDDINGS, json!({"model": "m", "input": []}), "input"),
        (EMBEDDINGS, json!({"model": "m", "input": "a", "dimensions": 0}), "dimensions"),
        (EMBEDDINGS, json!({"model": "m", "input": "[sim:wrong]"}), "input"),
    ];
    for (path, body, param) in cases {
        let reply = sim.ask(path, "t.1", &body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["param"]), (400, &json!(param)));
    }
}

#[tokio::test]
async fn models_are_listed_and_any_may_be_asked_about() {
    let sim = Running::start().await;
    let get = async |path: &str| Reply::read(sim.client.get(sim.url(path))).await.json();
    let all = get("/v1/models").await;
    assert_eq!(all["data"][0]["id"], "simulated");
    assert_eq!(get("/v1/models/gpt-x").await["id"], "gpt-x");
}
