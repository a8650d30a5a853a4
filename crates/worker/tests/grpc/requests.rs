//! Whole requests, forwarded as they stand.

use serde_json::Value;
use taskfleet_core::failure::{Delivery, FailureKind};
use taskfleet_proto::worker::{ApiRequest, TaskRequest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Last, Rig, Supervisor, localhost, settings};

fn request(supervisor: &Supervisor, number: u8, endpoint: &str, body: &str) -> TaskRequest {
    let body = body.as_bytes().to_vec().into();
    let request = Some(ApiRequest { endpoint: endpoint.into(), body });
    let requires = vec!["requests".into()];
    TaskRequest { request, requires, ..supervisor.request(number, 1, "") }
}

async fn ask(rig: &Rig, number: u8, endpoint: &str, body: &str) -> Last {
    let supervisor = rig.supervisor().await;
    let request = request(&supervisor, number, endpoint, body);
    supervisor.send(request).await.unwrap().last().await
}

fn chat(marker: &str) -> String {
    format!(r#"{{"model": "m1", "messages": [{{"role": "user", "content": "[sim:{marker}]"}}]}}"#)
}

#[tokio::test]
async fn a_request_is_answered_with_the_raw_body() {
    let rig = Rig::start().await;
    let last = ask(&rig, 1, "/v1/chat/completions", &chat("ok")).await;
    let call = last.call().clone();
    assert_eq!((call.delivery, call.http_status), (Delivery::Answered, Some(200)));
    assert_eq!((call.finish_reason.as_str(), call.served_model.as_str()), ("stop", "m1"));
    assert_eq!(call.usage.unwrap().output_tokens, 24);
    let body: Value = serde_json::from_slice(&last.body()).unwrap();
    assert_eq!(body["object"], "chat.completion");
}

/// An API that answers one request with `answer`; what it was sent, in lower case.
async fn answer_once(listener: &TcpListener, body: &str, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(body.as_bytes()) {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all((head + answer).as_bytes()).await.unwrap();
    String::from_utf8(seen).unwrap().to_lowercase()
}

#[tokio::test]
async fn both_ways_every_byte_stays_as_it_was_at_every_endpoint() {
    let cases = [
        ("/v1/chat/completions", "{ \"choices\":[ {\"finish_reason\" :\"stop\"}],\"x\": 1e0 }\n"),
        ("/v1/responses", "\n{\"status\" : \"completed\",\"x\":\"\\u00FC\", \"x\": -0 } "),
        ("/v1/embeddings", "{\"data\":[{\"embedding\" : [1.10,2E-3] }] }"),
    ];
    let body = " { \"b\" : 1.0,\n\t\"a\": \"\\u00fc\", \"messages\":[], \"a\": 2 }\n";
    for (number, (endpoint, answer)) in (1..).zip(cases) {
        let listener = TcpListener::bind(localhost()).await.unwrap();
        let mut settings = settings();
        settings.api.base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let rig = Rig::start_with(settings).await;
        let asking = ask(&rig, number, endpoint, body);
        let (last, seen) = tokio::join!(asking, answer_once(&listener, body, answer));
        assert_eq!(last.body(), answer.as_bytes());
        assert!(seen.starts_with(&format!("post {endpoint} http/1.1\r\n")), "{seen}");
        assert!(seen.contains(&format!("content-length: {}\r\n", body.len())), "{seen}");
        assert!(seen.contains("content-type: application/json\r\n"), "{seen}");
        assert!(!seen.contains("authorization"), "{seen}");
    }
}

#[tokio::test]
async fn a_task_goes_with_its_own_trace_and_its_own_key() {
    let listener = TcpListener::bind(localhost()).await.unwrap();
    let mut settings = settings();
    settings.api.base_url = format!("http://{}/v1/", listener.local_addr().unwrap());
    settings.api.key = Some("sk-workers-own".into());
    let rig = Rig::start_with(settings).await;
    let supervisor = rig.supervisor().await;
    let body = r#"{"input": "a"}"#;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = TaskRequest {
        api_key: "sk-of-the-task".into(),
        traceparent: traceparent.into(),
        tracestate: "vendor=1".into(),
        ..request(&supervisor, 1, "/v1/embeddings", body)
    };
    let asking = async { supervisor.send(request).await.unwrap().last().await };
    let answer = r#"{"data": [{}]}"#;
    let (last, seen) = tokio::join!(asking, answer_once(&listener, body, answer));
    assert_eq!(last.body(), answer.as_bytes());
    for line in [
        format!("traceparent: {traceparent}"),
        "tracestate: vendor=1".into(),
        "authorization: bearer sk-of-the-task".into(),
    ] {
        assert!(seen.contains(&format!("\r\n{line}\r\n")), "{line} is missing in {seen}");
    }
}

#[tokio::test]
async fn responses_and_embeddings_are_answered_with_the_raw_body_too() {
    let rig = Rig::start().await;
    let responses = r#"{"model": "m1", "input": "hello", "max_output_tokens": 3}"#;
    let last = ask(&rig, 1, "/v1/responses", responses).await;
    let call = last.call().clone();
    assert_eq!((call.delivery, call.http_status), (Delivery::Answered, Some(200)));
    assert_eq!((call.finish_reason.as_str(), call.served_model.as_str()), ("length", "m1"));
    let usage = call.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (2, 3));
    let body: Value = serde_json::from_slice(&last.body()).unwrap();
    assert_eq!(body["object"], "response");

    let embeddings = r#"{"model": "m2", "input": ["hello", "there"]}"#;
    let last = ask(&rig, 2, "/v1/embeddings", embeddings).await;
    let call = last.call().clone();
    assert!(call.provider_request_id.starts_with("req_"));
    assert_eq!((call.finish_reason.as_str(), call.served_model.as_str()), ("", "m2"));
    assert_eq!(call.usage.unwrap().input_tokens, 4);
    let body: Value = serde_json::from_slice(&last.body()).unwrap();
    assert_eq!(body["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn faults_have_their_kinds_here_too() {
    use Delivery::{Answered, ResponseStarted};
    use FailureKind::{ApiError, BadResponse, Connection, ContentFiltered, RateLimited};
    let rig = Rig::start().await;
    let table = [
        ("500", ApiError, Answered),
        ("429", RateLimited, Answered),
        ("garbage", BadResponse, Answered),
        ("eof", BadResponse, Answered),
        ("errmid", ApiError, Answered),
        ("filter", ContentFiltered, Answered),
        ("cut", Connection, ResponseStarted),
    ];
    let mut number = 0;
    for (marker, kind, delivery) in table {
        let input = format!(r#"{{"model": "m1", "input": "[sim:{marker}]"}}"#);
        let chat = chat(marker);
        for (endpoint, body) in
            [("/v1/chat/completions", &chat), ("/v1/responses", &input), ("/v1/embeddings", &input)]
        {
            // Nothing of an embedding can be filtered.
            if (endpoint, marker) == ("/v1/embeddings", "filter") {
                continue;
            }
            number += 1;
            let last = ask(&rig, number, endpoint, body).await;
            assert_eq!(last.kind_and_delivery(), (kind, delivery), "{endpoint} {marker}: {last:?}");
        }
    }
    assert_eq!(rig.calls().await["total"], number, "each was called once");
}

#[tokio::test]
async fn what_cannot_be_forwarded_fails_before_anything_is_sent() {
    let rig = Rig::start().await;
    let stream = r#"{"stream": true}"#;
    let cases = [
        ("/v1/chat/completions", stream, "stream"),
        ("/v1/responses", stream, "stream"),
        ("/v1/embeddings", "[]", "not a JSON object"),
        ("/v1/chat/completions", "{", "not JSON"),
    ];
    for (number, (endpoint, body, words)) in (1..).zip(cases) {
        let last = ask(&rig, number, endpoint, body).await;
        let expected = (FailureKind::InvalidRequest, Delivery::NotSent);
        assert_eq!(last.kind_and_delivery(), expected, "{endpoint}");
        assert!(last.failure().message.contains(words), "{last:?}");
    }
    assert_eq!(rig.calls().await["total"], 0);
}

#[tokio::test]
async fn a_body_of_many_megabytes_fits_into_the_last_message() {
    let rig = Rig::start().await;
    let last = ask(&rig, 1, "/v1/chat/completions", &chat("ok,bytes=14000000")).await;
    assert!(last.body().len() > 14_000_000);
}
