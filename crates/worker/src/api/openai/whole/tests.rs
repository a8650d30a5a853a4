use std::sync::Arc;

use taskfleet_core::outcome::Call;
use taskfleet_runtime::Clock;

use super::*;
use crate::api::Progress;

fn judged(endpoint: Endpoint, body: &[u8]) -> (Result<Answer, Failure>, Call) {
    let progress = Arc::new(Progress::default());
    let exchange = Exchange::new(Arc::clone(&progress), None, Clock::system());
    let answer =
        WholeAnswer { body: body.to_vec().into(), content_type: "application/json".into() };
    (judge(endpoint, answer, &exchange), progress.call())
}

fn reason(endpoint: Endpoint, body: &str) -> String {
    let (answer, call) = judged(endpoint, body.as_bytes());
    assert_eq!(answer, Ok(Answer::Body(body.to_owned().into())), "{body}");
    call.finish_reason
}

fn kind(endpoint: Endpoint, body: &str) -> FailureKind {
    judged(endpoint, body.as_bytes()).0.unwrap_err().kind
}

#[test]
fn what_is_no_object_is_bad_for_every_endpoint() {
    for endpoint in Endpoint::ALL {
        for body in ["", "[]", "7", "\"hi\"", "{", "{}", "<html>", "null"] {
            assert_eq!(kind(endpoint, body), FailureKind::BadResponse, "{endpoint:?} {body}");
        }
        let error = r#"{"error": {"message": "m", "code": "slow_down"}}"#;
        assert_eq!(kind(endpoint, error), FailureKind::RateLimited);
    }
}

#[test]
fn a_response_is_judged_by_its_status() {
    let responses = Endpoint::Responses;
    assert_eq!(reason(responses, r#"{"status": "completed", "error": null}"#), "stop");
    let incomplete = |why: &str| {
        format!(r#"{{"status": "incomplete", "incomplete_details": {{"reason": "{why}"}}}}"#)
    };
    assert_eq!(reason(responses, &incomplete("max_output_tokens")), "length");
    assert_eq!(reason(responses, &incomplete("tired")), "tired");
    assert_eq!(reason(responses, r#"{"status": "queued"}"#), "queued");
    assert_eq!(kind(responses, &incomplete("content_filter")), FailureKind::ContentFiltered);
    let failed = |code: &str| {
        format!(r#"{{"status": "failed", "error": {{"code": "{code}", "message": "m"}}}}"#)
    };
    assert_eq!(kind(responses, &failed("server_error")), FailureKind::ApiError);
    assert_eq!(kind(responses, &failed("rate_limit_exceeded")), FailureKind::RateLimited);
    assert_eq!(kind(responses, &failed("invalid_prompt")), FailureKind::InvalidRequest);
    assert_eq!(kind(responses, r#"{"output": []}"#), FailureKind::BadResponse);
}

#[test]
fn embeddings_need_data_and_a_chat_needs_reasons() {
    let data = r#"{"data": [{"embedding": [0.1]}], "model": 7, "usage": {"prompt_tokens": 3}}"#;
    let (answer, call) = judged(Endpoint::Embeddings, data.as_bytes());
    assert!(answer.is_ok());
    assert_eq!((call.usage.unwrap().input_tokens, call.served_model.as_str()), (3, ""));
    for body in [r#"{"data": []}"#, r#"{"data": {}}"#] {
        assert_eq!(kind(Endpoint::Embeddings, body), FailureKind::BadResponse);
    }
    let chat = Endpoint::ChatCompletions;
    let mixed = r#"{"choices": [{"finish_reason": "content_filter"}, {"finish_reason": "stop"}]}"#;
    assert_eq!(reason(chat, mixed), "content_filter");
    let cut = r#"{"choices": [{"finish_reason": "stop"}, {"finish_reason": null}]}"#;
    assert_eq!(kind(chat, cut), FailureKind::BadResponse);
}

#[test]
fn a_bad_byte_in_an_answer_that_was_paid_loses_nothing() {
    let body = b"\n{\"choices\": [{\"finish_reason\": \"stop\"}], \"x\": \"\xff\"}";
    let (answer, _) = judged(Endpoint::ChatCompletions, body);
    assert_eq!(answer, Ok(Answer::Body(body.to_vec().into())));
}
