//! One line of a results file.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use taskfleet_proto::{
    v1::{Task, TaskState},
    worker::{FailureKind, Usage},
};

use crate::words;

/// A task's outcome as a line of JSON, with its end. `whole` is its whole result, where that
/// does not stand in the task.
pub(in crate::batch) fn line(task: &Task, key: &str, whole: Option<&[u8]>) -> Vec<u8> {
    // Cannot fail: every key is a text and nothing refuses to be written.
    let mut line = serde_json::to_vec(&Record::new(task, key, whole)).unwrap_or_default();
    line.push(b'\n');
    line
}

#[derive(Serialize)]
struct Record<'a> {
    id: &'a str,
    task_id: &'a str,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Wrong<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
    #[serde(skip_serializing_if = "str::is_empty")]
    finish_reason: &'a str,
    /// Calls that ended in an answer or a failure; throttles and lost workers are none.
    attempts: u32,
    key: &'a str,
}

/// The raw answer to a request: JSON as it stands, or a text that is none.
#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    Json(Box<RawValue>),
    Text(String),
}

#[derive(Serialize)]
struct Wrong<'a> {
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u32>,
}

#[derive(Serialize)]
struct Tokens {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cached_input_tokens: u64,
    reasoning_tokens: u64,
}

impl<'a> Record<'a> {
    fn new(task: &'a Task, key: &'a str, whole: Option<&'a [u8]>) -> Self {
        let mut record = Self {
            id: &task.client_ref,
            task_id: &task.id,
            state: words::short(task.state().as_str_name(), "TASK_STATE_"),
            text: None,
            body: None,
            error: None,
            model: &task.model,
            usage: None,
            finish_reason: "",
            attempts: attempts(task),
            key,
        };
        let Some(result) = &task.result else { return record };
        let body = whole.unwrap_or(&result.body);
        if task.endpoint.is_empty() {
            let text = whole.map_or(Cow::Borrowed(result.text.as_str()), String::from_utf8_lossy);
            record.text = Some(text).filter(|_| task.state() == TaskState::Completed);
        } else if !body.is_empty() {
            record.body = Some(Body::new(body));
        }
        if task.state() != TaskState::Completed {
            let http_status = Some(result.http_status).filter(|status| *status > 0);
            let kind = words::kind(result.kind());
            record.error = Some(Wrong { kind, message: &result.error, http_status });
        }
        if !result.served_model.is_empty() {
            record.model = &result.served_model;
        }
        record.usage = result.usage.as_ref().map(Tokens::new);
        record.finish_reason = &result.finish_reason;
        record
    }
}

/// The counters know the failures that were tried again or used the last try up. An answer, or
/// a failure that no other try can mend, is one call more.
fn attempts(task: &Task) -> u32 {
    let kind = task.result.as_ref().map(|result| result.kind());
    let is_final = matches!(
        kind,
        Some(
            FailureKind::InvalidRequest
                | FailureKind::Authentication
                | FailureKind::ContentFiltered
        )
    );
    let last = task.state() == TaskState::Completed || is_final;
    task.counters.unwrap_or_default().attempts + u32::from(last)
}

impl Body {
    fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        // In JSON a line's end can only stand between values: a blank means the same, and the
        // line stays one line.
        let line = text.replace(['\n', '\r'], " ");
        match RawValue::from_string(line) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Text(text.into_owned()),
        }
    }
}

impl Tokens {
    fn new(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            total_tokens: usage.total_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskfleet_proto::v1::{Counters, TaskResult};

    fn written(state: TaskState, endpoint: &str, result: TaskResult) -> String {
        let mut task = Task {
            id: "t".into(),
            client_ref: "a".into(),
            endpoint: endpoint.into(),
            result: Some(result),
            counters: Some(Counters { attempts: 2, throttles: 5, ..Counters::default() }),
            ..Task::default()
        };
        task.set_state(state);
        String::from_utf8(line(&task, "k", None)).unwrap()
    }

    #[test]
    fn a_text_stands_as_it_came() {
        let result = TaskResult { text: "a\n\"b\"".into(), ..TaskResult::default() };
        let expected = concat!(
            r#"{"id":"a","task_id":"t","state":"completed","text":"a\n\"b\"","#,
            r#""attempts":3,"key":"k"}"#,
            "\n"
        );
        assert_eq!(written(TaskState::Completed, "", result), expected);
    }

    #[test]
    fn a_body_stays_json_on_one_line_and_its_numbers_stay_as_they_are() {
        let body = b"{\n  \"a\": 1.10\r\n}".to_vec();
        let result = TaskResult { body, ..TaskResult::default() };
        let line = written(TaskState::Completed, "/v1/responses", result);
        assert!(line.contains(r#""body":{   "a": 1.10  },"#), "{line}");
        let result = TaskResult { body: b"<html>".to_vec(), ..TaskResult::default() };
        let line = written(TaskState::Completed, "/v1/responses", result);
        assert!(line.contains(r#""body":"<html>","#), "{line}");
    }

    #[test]
    fn a_failure_says_its_kind_and_has_no_text() {
        let mut result =
            TaskResult { error: "no".into(), http_status: 400, ..TaskResult::default() };
        result.set_kind(FailureKind::InvalidRequest);
        let line = written(TaskState::Failed, "", result);
        let error = r#""error":{"kind":"invalid_request","message":"no","http_status":400}"#;
        assert!(line.contains(error) && !line.contains("text"), "{line}");
        assert!(line.contains(r#""attempts":3,"#), "{line}");
    }
}
