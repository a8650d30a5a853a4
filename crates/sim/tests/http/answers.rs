//! Good answers.

use std::time::Duration;

use openai_sim::{Settings, digest};
use serde_json::{Value, json};

use crate::support::{Reply, Running, chat, free_port};

#[tokio::test]
async fn a_streamed_answer_is_the_whole_one_in_pieces() {
    let sim = Running::start().await;
    for prompt in [
        "hello",
        "[sim:deltas=300]",
        "[sim:deltas=5,bytes=100000]",
        "[sim:deltas=1]",
        "[sim:deltas=9,delay=1]",
    ] {
        let (whole, streamed) = (sim.whole(prompt).await, sim.streamed(prompt).await);
        assert_eq!(streamed.deltas().concat(), whole.content(), "{prompt}");
        assert_eq!(streamed.finish_reason().as_deref(), Some("stop"));
        assert_eq!(whole.finish_reason().as_deref(), Some("stop"));
        assert_eq!(streamed.events().last(), Some(&"[DONE]"));
    }
}

#[tokio::test]
async fn an_answer_carries_the_digest_of_the_last_user_message() {
    let sim = Running::start().await;
    let mut body = chat("first", false);
    let parts = json!([{"type": "text", "text": "sec"}, {"type": "text", "text": "ond"}]);
    let later =
        [json!({"role": "assistant", "content": "ok"}), json!({"role": "user", "content": parts})];
    body["messages"].as_array_mut().unwrap().extend(later);
    let reply = Reply::read(sim.post(&body)).await;
    let start = format!("digest:{} ", digest("second"));
    assert!(reply.content().starts_with(&start), "{}", reply.body);
}

#[tokio::test]
async fn answers_have_the_fields_of_the_real_api() {
    let sim = Running::start().await;
    let answer = sim.whole("hello").await.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "sim-1");
    assert!(answer["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(answer["usage"]["completion_tokens"], 24);
    assert!(answer["system_fingerprint"].is_string());

    let chunks = sim.streamed("hello").await.chunks();
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test]
async fn a_stream_tells_its_usage_when_asked() {
    let sim = Running::start().await;
    let mut body = chat("hello", true);
    body["stream_options"] = json!({"include_usage": true});
    let chunks = Reply::read(sim.post(&body)).await.chunks();
    let (last, before) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 24);
    assert!(before.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert_eq!(before.last().unwrap()["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn the_clients_token_limit_cuts_the_answer_short() {
    let sim = Running::start().await;
    for limit in ["max_tokens", "max_completion_tokens"] {
        for stream in [false, true] {
            let mut body = chat("hello", stream);
            body[limit] = json!(5);
            let reply = Reply::read(sim.post(&body)).await;
            assert_eq!(reply.finish_reason().as_deref(), Some("length"));
            if stream {
                assert_eq!(reply.deltas().len(), 5);
            } else {
                assert_eq!(reply.json()["usage"]["completion_tokens"], 5);
            }
        }
    }
    let mut body = chat("hello", false);
    body["max_tokens"] = json!(24);
    assert_eq!(Reply::read(sim.post(&body)).await.finish_reason().as_deref(), Some("stop"));
}

#[tokio::test]
async fn modifiers_shape_the_answer() {
    let sim = Running::start().await;
    assert_eq!(sim.streamed("[sim:deltas=7]").await.deltas().len(), 7);
    assert!(sim.whole("[sim:deltas=7,bytes=50000]").await.content().len() >= 50_000);
    let started = tokio::time::Instant::now();
    sim.streamed("[sim:latency=40,deltas=4,delay=20]").await;
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn settings_shape_the_answer() {
    let settings = Settings { deltas: 3, latency: Duration::from_millis(30), ..free_port() };
    let sim = Running::start_with(settings).await;
    let started = tokio::time::Instant::now();
    assert_eq!(sim.streamed("hello").await.deltas().len(), 3);
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn the_reasons_that_are_not_stop_end_a_whole_answer() {
    let sim = Running::start().await;
    for (step, reason) in [("filter", "content_filter"), ("length", "length"), ("abort", "abort")] {
        let prompt = format!("[sim:{step}]");
        assert_eq!(sim.whole(&prompt).await.finish_reason().as_deref(), Some(reason));
        let streamed = sim.streamed(&prompt).await;
        assert_eq!(streamed.finish_reason().as_deref(), Some(reason));
        assert_eq!(streamed.deltas().len(), 24);
    }
}
