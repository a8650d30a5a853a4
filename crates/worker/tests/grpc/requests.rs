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

#[tokio::test]
async fn both_ways_every_byte_stays_as_it_was() {
    let listener = TcpListener::bind(localhost()).await.unwrap();
    let mut settings = settings();
    settings.api.base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let rig = Rig::start_with(settings).await;
    let body = "{ \"b\" : 1.0,\n\t\"a\": \"\\u00fc\", \"messages\":[] }";
    let answer = "{ \"choices\":[ {\"finish_reason\" :\"stop\"}],\"x\": 1e0 }\n";
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(body.as_bytes()) {
            assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all((head + answer).as_bytes()).await.unwrap();
        String::from_utf8(seen).unwrap().to_lowercase()
    };
    let (last, seen) = tokio::join!(ask(&rig, 1, "/v1/chat/completions", body), server);
    assert_eq!(last.body(), answer.as_bytes());
    assert!(seen.starts_with("post /v1/chat/completions http/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("content-length: {}\r\n", body.len())), "{seen}");
    assert!(!seen.contains("authorization"), "{seen}");
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
    for (number, (marker, kind, delivery)) in (1..).zip(table) {
        let last = ask(&rig, number, "/v1/chat/completions", &chat(marker)).await;
        assert_eq!(last.kind_and_delivery(), (kind, delivery), "{marker}: {last:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_forwarded_fails_before_anything_is_sent() {
    let rig = Rig::start().await;
    let stream = r#"{"stream": true}"#;
    let cases = [
        ("/v1/responses", "{}", "not served"),
        ("/v1/embeddings", "{}", "not served"),
        ("/v1/chat/completions", stream, "stream"),
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
