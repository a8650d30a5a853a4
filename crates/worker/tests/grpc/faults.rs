//! What goes wrong at the API, and what the outcome says of it.

use std::time::Duration;

use taskfleet_core::failure::{Delivery, FailureKind};
use taskfleet_proto::worker::TaskRequest;
use taskfleet_worker::ApiSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Last, Rig, localhost, settings};

async fn fault(rig: &Rig, marker: &str) -> Last {
    let supervisor = rig.supervisor().await;
    let last = supervisor.start(1, 1, &format!("secret prompt [sim:{marker}]")).await.last().await;
    let message = &last.failure().message;
    assert!(!message.contains("secret") && !message.contains("sk-test"), "{message}");
    last
}

#[tokio::test]
async fn every_fault_has_its_kind_its_delivery_and_its_status() {
    use Delivery::{Answered, ResponseStarted};
    use FailureKind::{
        ApiError, Authentication, BadResponse, Connection, ContentFiltered, InvalidRequest,
        Overloaded, QuotaExhausted, RateLimited,
    };
    let table = [
        ("500", ApiError, Answered, 500),
        ("502", ApiError, Answered, 502),
        ("504", ApiError, Answered, 504),
        ("408", ApiError, Answered, 408),
        ("409", ApiError, Answered, 409),
        ("html500", ApiError, Answered, 500),
        ("503", Overloaded, Answered, 503),
        ("429", RateLimited, Answered, 429),
        ("quota", QuotaExhausted, Answered, 429),
        ("400", InvalidRequest, Answered, 400),
        ("404", InvalidRequest, Answered, 404),
        ("413", InvalidRequest, Answered, 413),
        ("422", InvalidRequest, Answered, 422),
        ("401", Authentication, Answered, 401),
        ("403", Authentication, Answered, 403),
        ("cut", Connection, ResponseStarted, 200),
        ("eof", BadResponse, ResponseStarted, 200),
        ("garbage", BadResponse, ResponseStarted, 200),
        ("errmid", ApiError, ResponseStarted, 200),
        ("429mid", RateLimited, ResponseStarted, 200),
        ("filter", ContentFiltered, Answered, 200),
    ];
    for (marker, kind, delivery, status) in table {
        let rig = Rig::start().await;
        let last = fault(&rig, marker).await;
        assert_eq!(last.kind_and_delivery(), (kind, delivery), "{marker}: {last:?}");
        assert_eq!(last.call().http_status, Some(status), "{marker}");
        assert!(last.call().provider_request_id.starts_with("req_"), "{marker}");
        assert_eq!(rig.calls().await["total"], 1, "{marker} was called again");
    }
}

#[tokio::test]
async fn the_wait_that_the_api_asks_for_is_passed_on() {
    let rig = Rig::start().await;
    let waits =
        [("429:0.2", Some(200)), ("429ms:250", Some(250)), ("429:20", Some(20_000)), ("429", None)];
    for (number, (marker, millis)) in (1..).zip(waits) {
        let supervisor = rig.supervisor().await;
        let last = supervisor.start(number, 1, &format!("[sim:{marker}]")).await.last().await;
        assert_eq!(last.failure().retry_after, millis.map(Duration::from_millis), "{marker}");
    }
}

#[tokio::test]
async fn the_providers_message_says_what_is_wrong_with_the_request() {
    let rig = Rig::start().await;
    let last = fault(&rig, "404").await;
    assert!(last.failure().message.contains("the model does not exist"), "{last:?}");
    assert_eq!(last.response.error, last.failure().message);
    let supervisor = rig.supervisor().await;
    for (number, marker) in [(2, "500"), (3, "errmid")] {
        let last = supervisor.start(number, 1, &format!("[sim:{marker}]")).await.last().await;
        assert!(last.failure().message.contains("the server had an error"), "{last:?}");
    }
}

#[tokio::test]
async fn a_silent_api_is_left_when_the_time_is_over() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let cases = [(1, "hang", Delivery::Sent), (2, "hangmid", Delivery::ResponseStarted)];
    for (number, marker, delivery) in cases {
        let prompt = format!("[sim:{marker}]");
        let request = TaskRequest { remaining_ms: 150, ..supervisor.request(number, 1, &prompt) };
        let last = supervisor.send(request).await.unwrap().last().await;
        assert_eq!(last.kind_and_delivery(), (FailureKind::Timeout, delivery), "{marker}");
    }
    rig.until_open(2, 0).await;
}

fn api(base_url: String) -> ApiSettings {
    ApiSettings { base_url, key: Some("sk-test".into()), ..ApiSettings::default() }
}

#[tokio::test]
async fn what_finds_nobody_was_not_sent() {
    // Bound and dropped: nobody listens there now.
    let closed = TcpListener::bind(localhost()).await.unwrap().local_addr().unwrap();
    let bases = [
        (format!("http://me:pa55@{closed}/path?query=1"), closed.to_string()),
        ("http://nowhere.invalid/v1".into(), "nowhere.invalid: ".to_owned()),
    ];
    for (base, host) in bases {
        let rig =
            Rig::start_with(taskfleet_worker::Settings { api: api(base), ..settings() }).await;
        let last = fault(&rig, "ok").await;
        let expected = (FailureKind::Connection, Delivery::NotSent);
        assert_eq!(last.kind_and_delivery(), expected, "{last:?}");
        let message = &last.failure().message;
        assert!(message.contains(&format!("the model API at {host}")), "{message}");
        for hidden in ["me:", "pa55", "path", "query"] {
            assert!(!message.contains(hidden), "{message}");
        }
    }
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_goes_may_have_been_paid() {
    let listener = TcpListener::bind(localhost()).await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let rig = Rig::start_with(taskfleet_worker::Settings { api: api(base), ..settings() }).await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1];
        stream.read_exact(&mut buffer).await.unwrap();
    };
    let (last, ()) = tokio::join!(fault(&rig, "ok"), server);
    assert_eq!(last.kind_and_delivery(), (FailureKind::Connection, Delivery::Sent), "{last:?}");
}

#[tokio::test]
async fn parameters_that_cannot_be_meant_fail_before_anything_is_sent() {
    let rig = Rig::start().await;
    let supervisor = rig.supervisor().await;
    let request = TaskRequest {
        parameters_json: r#"{"stream": false}"#.into(),
        ..supervisor.request(1, 1, "hello")
    };
    let last = supervisor.send(request).await.unwrap().last().await;
    let expected = (FailureKind::InvalidRequest, Delivery::NotSent);
    assert_eq!(last.kind_and_delivery(), expected);
    assert_eq!(rig.calls().await["total"], 0);
}

/// The outcome of a content task whose API answers with these bytes and closes.
async fn answered_with(events: &str) -> Last {
    let listener = TcpListener::bind(localhost()).await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let rig = Rig::start_with(taskfleet_worker::Settings { api: api(base), ..settings() }).await;
    let supervisor = rig.supervisor().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("hello") {
            assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
        }
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        stream.write_all((head.to_owned() + events).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Until the worker has read all of it.
        while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {}
    };
    let asking = async { supervisor.start(1, 1, "hello").await.last().await };
    tokio::join!(asking, server).0
}

#[tokio::test]
async fn an_answer_whose_last_line_has_no_end_is_whole() {
    let hi = r#"data: {"choices":[{"delta":{"content":"hi"}}]}"#;
    let stop = r#"data: {"choices":[{"delta":{"content":"!"},"finish_reason":"stop"}]}"#;
    for end in ["", "\n", "\r\n", "\n\ndata: [DONE]", "\n\ndata: [DONE]\n", "\n\n: bye"] {
        let last = answered_with(&format!("{hi}\n\n{stop}{end}")).await;
        assert_eq!(last.text(), "hi!", "{end:?}");
    }
    for cut in [format!("{hi}\n\n"), format!("{hi}\n\n{}", &stop[..stop.len() - 3]), hi.into()] {
        let last = answered_with(&cut).await;
        assert_eq!(last.failure().kind, FailureKind::BadResponse, "{cut}");
        assert!(!last.failure().permanent);
    }
}
