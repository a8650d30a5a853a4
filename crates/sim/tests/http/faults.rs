//! Answers that go wrong on the way, as their client sees them.

use std::time::Duration;

use openai_sim::{Faults, Settings};
use serde_json::Value;

use crate::support::{Reply, Running, chat, free_port};

#[tokio::test]
async fn a_cut_stream_breaks_after_three_deltas() {
    let sim = Running::start().await;
    for prompt in ["[sim:cut]", "[sim:cut,delay=5]"] {
        let reply = sim.streamed(prompt).await;
        assert_eq!(reply.status, 200);
        assert!(reply.broke);
        assert_eq!(reply.deltas().len(), 3);
        assert_eq!(reply.finish_reason(), None);
    }
}

#[tokio::test]
async fn a_cut_answer_is_shorter_than_its_content_length() {
    let sim = Running::start().await;
    let reply = sim.whole("[sim:cut]").await;
    let promised: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert!(reply.broke);
    assert!(!reply.body.is_empty() && reply.body.len() < promised);
}

#[tokio::test]
async fn an_answer_without_an_end_closes_cleanly() {
    let sim = Running::start().await;
    let streamed = sim.streamed("[sim:eof]").await;
    assert!(!streamed.broke);
    assert_eq!(streamed.deltas().len(), 3);
    assert_eq!(streamed.finish_reason(), None);
    assert!(!streamed.body.contains("[DONE]"));
    let whole = sim.whole("[sim:eof]").await;
    assert_eq!((whole.finish_reason(), whole.content()), (None, streamed.deltas().concat()));
}

#[tokio::test]
async fn garbage_is_no_json() {
    let sim = Running::start().await;
    let streamed = sim.streamed("[sim:garbage]").await;
    assert_eq!((streamed.status.as_u16(), streamed.events()), (200, vec!["{not json"]));
    let whole = sim.whole("[sim:garbage]").await;
    assert_eq!(whole.status, 200);
    assert!(serde_json::from_str::<Value>(&whole.body).is_err());
}

#[tokio::test]
async fn an_error_in_the_middle_is_an_event() {
    let sim = Running::start().await;
    let streamed = sim.streamed("[sim:errmid]").await;
    let chunks = streamed.chunks();
    assert_eq!(streamed.deltas().len(), 3);
    assert_eq!(chunks.last().unwrap()["error"]["code"], "server_error");
    assert!(!streamed.broke && !streamed.body.contains("[DONE]"));
    let whole = sim.whole("[sim:errmid]").await;
    assert_eq!((whole.status.as_u16(), whole.error_code()), (200, "server_error".into()));
}

#[tokio::test]
async fn a_hanging_call_is_noticed_when_its_client_leaves() {
    let sim = Running::start().await;
    for stream in [true, false] {
        let request = sim.post(&chat("[sim:hang]", stream)).timeout(Duration::from_millis(100));
        assert!(request.send().await.unwrap_err().is_timeout());
    }
    let calls = sim.until_calls(|calls| calls["closed_early"] == 2).await;
    assert_eq!((&calls["open"], &calls["total"]), (&0.into(), &2.into()));
}

#[tokio::test]
async fn a_call_that_hangs_in_the_middle_has_sent_three_deltas() {
    let sim = Running::start().await;
    let mut response = sim.post(&chat("[sim:hangmid]", true)).send().await.unwrap();
    let mut body = String::new();
    while body.matches("\"content\":").count() < 4 {
        body += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    }
    let more = tokio::time::timeout(Duration::from_millis(50), response.chunk()).await;
    assert!(more.is_err(), "it went on: {more:?}");
    assert_eq!(sim.calls("").await["open"], 1);
    drop(response);
    sim.until_calls(|calls| calls["closed_early"] == 1).await;
}

#[tokio::test]
async fn a_whole_answer_that_hangs_in_the_middle_has_sent_half() {
    let sim = Running::start().await;
    let mut response = sim.post(&chat("[sim:hangmid]", false)).send().await.unwrap();
    assert!(!response.chunk().await.unwrap().unwrap().is_empty());
    drop(response);
    sim.until_calls(|calls| calls["open"] == 0 && calls["closed_early"] == 1).await;
}

#[tokio::test]
async fn rates_fail_calls_by_chance_but_not_those_with_steps() {
    let faults = Faults { http_500: 0.5, garbage: 0.5, ..Faults::default() };
    let sim = Running::start_with(Settings { faults, ..free_port() }).await;
    let mut failed = 0;
    for _ in 0..40 {
        let reply = sim.whole("hello [sim:deltas=4]").await;
        failed += u32::from(reply.status == 500);
        assert!(reply.status == 500 || reply.body == "{not json");
    }
    assert!((5..35).contains(&failed), "{failed} of 40 at a rate of one half");
    assert_eq!(sim.whole("[sim:ok]").await.status, 200);
    assert!(!sim.whole("[sim:ok]").await.content().is_empty());
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let sim = Running::start().await;
    let mut ids = Vec::new();
    for prompt in ["a", "[sim:500]", "[sim:wrong]", "[sim:garbage]"] {
        ids.push(sim.whole(prompt).await.header("x-request-id").unwrap().to_owned());
    }
    let health = Reply::read(sim.client.get(sim.url("/sim/healthz"))).await;
    assert_eq!(health.status, 200);
    ids.push(health.header("x-request-id").unwrap().to_owned());
    assert!(ids.iter().all(|id| id.starts_with("req_")));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}
