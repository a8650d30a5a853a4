//! Markers, step by step.

use serde_json::{Value, json};

use crate::support::Running;

#[tokio::test]
async fn each_task_goes_through_the_steps_by_itself() {
    let sim = Running::start().await;
    let prompt = "do [sim:500,429,ok] this";
    let mut seen = Vec::new();
    for request in ["a.1", "b.1", "a.2", "a.3", "b.2", "a.4"] {
        seen.push(sim.as_task(request, prompt).await.status.as_u16());
    }
    assert_eq!(seen, [500, 500, 429, 200, 429, 200]);
}

#[tokio::test]
async fn without_a_task_the_prompt_counts() {
    let sim = Running::start().await;
    let mut seen = Vec::new();
    for prompt in ["a [sim:500,ok]", "b [sim:500,ok]", "a [sim:500,ok]"] {
        seen.push(sim.whole(prompt).await.status.as_u16());
    }
    assert_eq!(seen, [500, 500, 200]);
}

#[tokio::test]
async fn a_status_comes_with_openais_error_object() {
    let sim = Running::start().await;
    let expected = [
        ("400", 400, json!("invalid_value")),
        ("401", 401, json!("invalid_api_key")),
        ("404", 404, json!("model_not_found")),
        ("429", 429, json!("rate_limit_exceeded")),
        ("quota", 429, json!("insufficient_quota")),
        ("500", 500, Value::Null),
        ("502", 502, Value::Null),
        ("503", 503, json!("server_is_overloaded")),
        ("504", 504, Value::Null),
    ];
    for (step, status, code) in expected {
        for reply in [
            sim.whole(&format!("[sim:{step}]")).await,
            sim.streamed(&format!("[sim:{step}]")).await,
        ] {
            assert_eq!((reply.status.as_u16(), reply.error_code()), (status, code.clone()));
            let error = &reply.json()["error"];
            assert!(error["message"].is_string() && error["type"].is_string());
            assert!(error.get("param").is_some());
            assert_eq!(reply.header("retry-after"), None);
        }
    }
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back_in_the_way_asked_for() {
    let sim = Running::start().await;
    let seconds = sim.whole("[sim:429:0.2]").await;
    assert_eq!((seconds.status.as_u16(), seconds.header("retry-after")), (429, Some("0.2")));
    assert_eq!(sim.whole("[sim:429:3]").await.header("retry-after"), Some("3"));
    let millis = sim.whole("[sim:429ms:200]").await;
    assert_eq!((millis.status.as_u16(), millis.header("retry-after-ms")), (429, Some("200")));
    assert_eq!(millis.header("retry-after"), None);
}

#[tokio::test]
async fn a_page_of_html_can_come_instead() {
    let sim = Running::start().await;
    let reply = sim.whole("[sim:html500]").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (500, Some("text/html")));
    assert!(reply.body.starts_with("<html>"));
}

#[tokio::test]
async fn a_mistyped_step_is_named() {
    let sim = Running::start().await;
    let reply = sim.whole("[sim:500,hangmit]").await;
    assert_eq!((reply.status.as_u16(), reply.error_code()), (400, json!("invalid_sim_marker")));
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("`hangmit`") && message.contains("hangmid"), "{message}");
}
