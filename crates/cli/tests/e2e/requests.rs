//! Whole requests through the real fleet, and what is large.

use taskfleet_proto::{
    v1::{GetResultRequest, HttpRequest, RetryPolicy, TaskSpec, TaskState},
    worker::FailureKind,
};

use crate::{
    exact::ExactApi,
    fleet::{Fleet, Plan},
};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const EMBEDDINGS: &str = "/v1/embeddings";

fn request(endpoint: &str, body: &str) -> TaskSpec {
    let request = HttpRequest { endpoint: endpoint.to_owned(), body: body.to_owned() };
    TaskSpec { request: Some(request), ..TaskSpec::default() }
}

async fn submit(fleet: &Fleet, spec: TaskSpec) -> String {
    fleet.tasks().submit_task(spec).await.unwrap().into_inner().task_id
}

/// The whole result, chunk by chunk.
async fn result(fleet: &Fleet, task_id: &str) -> Vec<u8> {
    let request = GetResultRequest { task_id: task_id.to_owned(), offset: 0 };
    let mut chunks = fleet.tasks().get_result(request).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        assert_eq!(chunk.offset, bytes.len() as u64);
        bytes.extend_from_slice(&chunk.chunk);
    }
    bytes
}

/// With all that a parser would change when it prints again.
const ANSWERS: &[(&str, &str)] = &[
    (CHAT, "{ \"choices\":[ {\"finish_reason\" :\"stop\"}],\"x\": 1e0, \"x\":1.50 }\n"),
    (RESPONSES, "\n{\"status\" : \"completed\",\t\"x\":\"\\u00FC\\/\" }  "),
    (EMBEDDINGS, "{\"data\":[{\"embedding\" : [1.10,2E-3,-0] }] }"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_and_its_answer_pass_the_fleet_byte_for_byte_and_with_their_trace() {
    let api = ExactApi::start(ANSWERS).await;
    let fleet = Plan::new(1).worker_variable("OPENAI_BASE_URL", &api.base_url()).start().await;
    let body = " { \"b\" : 1.0,\n\t\"a\": \"\\u00fc 日本\", \"stream\": false, \"a\": 2E0 }\n";
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    for (endpoint, answer) in ANSWERS {
        let traceparent = format!("00-{trace_id}-b7ad6b7169203331-01");
        let spec = TaskSpec { traceparent, ..request(endpoint, body) };
        let id = submit(&fleet, spec).await;
        let task = fleet.ended(&id).await;
        let ended = task.result.unwrap();
        assert!(ended.error.is_empty(), "{endpoint}: {}", ended.error);
        assert_eq!(ended.body, answer.as_bytes(), "{endpoint}");
        assert_eq!((ended.http_status, ended.provider_request_id.as_str()), (200, "req_exact"));
        assert_eq!(result(&fleet, &id).await, answer.as_bytes(), "{endpoint}");
        let heard = api.heard(endpoint);
        assert_eq!(heard.body, body.as_bytes(), "{endpoint}");
        assert!(heard.head.contains(&format!("traceparent: 00-{trace_id}-")), "{}", heard.head);
        assert!(heard.head.contains(&format!("x-client-request-id: {id}.")), "{}", heard.head);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_is_served_and_tells_its_usage_and_its_failures() {
    let fleet = Fleet::start(1).await;
    let input = |input: &str| format!(r#"{{"model": "m", "input": "{input}"}}"#);
    let chat = |prompt: &str| {
        format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "{prompt}"}}]}}"#)
    };
    for (endpoint, good, refused) in [
        (CHAT, chat("[sim:429ms:1,ok]"), chat("[sim:400]")),
        (RESPONSES, input("[sim:429ms:1,ok]"), input("[sim:400]")),
        (EMBEDDINGS, input("[sim:429ms:1,ok]"), input("[sim:400]")),
    ] {
        let id = submit(&fleet, request(endpoint, &good)).await;
        let task = fleet.ended(&id).await;
        assert_eq!(task.state(), TaskState::Completed, "{endpoint}");
        let result = task.result.unwrap();
        assert_eq!(result.served_model, "m", "{endpoint}");
        assert!(result.usage.unwrap().input_tokens > 0, "{endpoint}");
        assert_eq!(fleet.calls().await.of_task(&id), 2, "{endpoint}");

        let task = fleet.ended(&submit(&fleet, request(endpoint, &refused)).await).await;
        let result = task.result.unwrap();
        assert_eq!(result.kind(), FailureKind::InvalidRequest, "{endpoint}");
        assert!(result.error.contains("Simulated: invalid request"), "{}", result.error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_and_a_result_of_many_megabytes_pass_whole() {
    let fleet = Fleet::start(1).await;
    let marker = "[sim:ok,bytes=15728640]";
    let content = marker.to_owned() + &"x".repeat((8 << 20) - marker.len());
    let digest = format!("digest:{} ", openai_sim::digest(&content));
    let id = fleet.submit(&content).await;
    let task = fleet.ended(&id).await;
    let ended = task.result.clone().unwrap();
    assert_eq!(task.state(), TaskState::Completed, "{}", ended.error);
    assert!(ended.truncated && ended.size_bytes >= 15 << 20);
    let whole = result(&fleet, &id).await;
    assert_eq!(whole.len() as u64, ended.size_bytes);
    assert!(whole.starts_with(digest.as_bytes()), "the prompt came whole");
    assert!(whole.starts_with(ended.text.as_bytes()));
    assert_eq!(fleet.calls().await.total, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_too_large_fails_in_words_and_is_paid_for_once() {
    let fleet = Fleet::start(1).await;
    let marker = "[sim:ok,bytes=17825792]";
    let chat =
        format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "{marker}"}}]}}"#);
    let content = TaskSpec { content: marker.to_owned(), ..TaskSpec::default() };
    for spec in [content, request(CHAT, &chat)] {
        let id = submit(&fleet, spec).await;
        let task = fleet.ended(&id).await;
        let ended = task.result.clone().unwrap();
        assert_eq!((task.state(), ended.kind()), (TaskState::Failed, FailureKind::BadResponse));
        assert!(ended.error.contains("larger than 16 MiB"), "{}", ended.error);
        assert!(task.attempts[0].possibly_paid);
        assert_eq!(fleet.calls().await.of_task(&id), 1, "it was not called again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttle_inside_an_answer_is_an_attempt_and_marked_as_possibly_paid() {
    let fleet = Fleet::start(1).await;
    let id = fleet.submit("hello [sim:429mid,429ms:10,ok]").await;
    let task = fleet.ended(&id).await;
    assert_eq!(task.state(), TaskState::Completed);
    let counters = task.counters.unwrap();
    assert_eq!((counters.attempts, counters.throttles), (1, 1));
    let paid: Vec<bool> = task.attempts.iter().map(|attempt| attempt.possibly_paid).collect();
    assert_eq!(paid, [true, false, false]);

    let retry = RetryPolicy { max_attempts: Some(2), ..RetryPolicy::default() };
    let spec = TaskSpec {
        content: "again and again [sim:429mid]".to_owned(),
        retry: Some(retry),
        ..TaskSpec::default()
    };
    let id = submit(&fleet, spec).await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.kind()), (TaskState::Failed, FailureKind::RateLimited));
    assert_eq!(fleet.calls().await.of_task(&id), 2, "the retry policy bounds what it costs");
}
