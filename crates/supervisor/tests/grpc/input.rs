//! What is refused, with which status, and which field the refusal names.

use std::collections::HashMap;

use prost_types::Duration;
use taskfleet_proto::v1::{
    CancelTaskRequest, GetResultRequest, GetTaskRequest, HttpRequest, RetryPolicy,
    RetryTaskRequest, SubmitTasksRequest, TaskSpec, TaskState, WatchTaskRequest, WatchTasksRequest,
};
use tonic::{Code, Status};

use crate::support::{Rig, fields, prompt};

const UNKNOWN: &str = "0190b6f0-7f3c-7c3a-9d5e-2f6a1c0b4e21";
const CHAT: &str = "/v1/chat/completions";

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn request(endpoint: &str, body: &str) -> TaskSpec {
    let request = HttpRequest { endpoint: endpoint.into(), body: body.into() };
    TaskSpec { request: Some(request), ..TaskSpec::default() }
}

fn with_retry(retry: RetryPolicy) -> TaskSpec {
    TaskSpec { retry: Some(retry), ..prompt("hi") }
}

fn with_labels(labels: impl IntoIterator<Item = (String, String)>) -> TaskSpec {
    TaskSpec { labels: labels.into_iter().collect::<HashMap<_, _>>(), ..prompt("hi") }
}

/// Each with the field that its refusal names.
fn wrong_tasks() -> Vec<(TaskSpec, &'static str)> {
    let long = |bytes: usize| "x".repeat(bytes);
    let hi = || prompt("hi");
    vec![
        // What to do.
        (prompt(""), "content"),
        (TaskSpec { content: "hi".into(), ..request(CHAT, "{}") }, "content"),
        (prompt(&long((8 << 20) + 1)), "content"),
        (TaskSpec { instructions: long(8 << 20), ..hi() }, "content"),
        (TaskSpec { parameters_json: "[]".into(), ..hi() }, "parameters_json"),
        (TaskSpec { parameters_json: "{".into(), ..hi() }, "parameters_json"),
        (TaskSpec { model: long(257), ..hi() }, "model"),
        (request(CHAT, ""), "request.body"),
        (request(CHAT, "no JSON"), "request.body"),
        (request(CHAT, r#"["no object"]"#), "request.body"),
        (request(CHAT, r#"{"stream": true}"#), "request.body"),
        (request(CHAT, &format!("{{\"a\": \"{}\"}}", long(8 << 20))), "request.body"),
        (request("", "{}"), "request.endpoint"),
        (request("/v1/images", "{}"), "request.endpoint"),
        (TaskSpec { model: "m".into(), ..request(CHAT, "{}") }, "model"),
        (TaskSpec { instructions: "be kind".into(), ..request(CHAT, "{}") }, "instructions"),
        (TaskSpec { parameters_json: "{}".into(), ..request(CHAT, "{}") }, "parameters_json"),
        // When and how often.
        (TaskSpec { priority: 101, ..hi() }, "priority"),
        (TaskSpec { priority: -101, ..hi() }, "priority"),
        (TaskSpec { attempt_timeout: seconds(0), ..hi() }, "attempt_timeout"),
        (TaskSpec { attempt_timeout: seconds(3_601), ..hi() }, "attempt_timeout"),
        (TaskSpec { deadline: seconds(-1), ..hi() }, "deadline"),
        (TaskSpec { deadline: seconds(0), ..hi() }, "deadline"),
        (TaskSpec { deadline: seconds(30 * 86_400 + 1), ..hi() }, "deadline"),
        (TaskSpec { deadline: seconds(i64::MAX), ..hi() }, "deadline"),
        (
            with_retry(RetryPolicy { max_attempts: Some(0), ..RetryPolicy::default() }),
            "retry.max_attempts",
        ),
        (
            with_retry(RetryPolicy { max_attempts: Some(21), ..RetryPolicy::default() }),
            "retry.max_attempts",
        ),
        (
            with_retry(RetryPolicy { initial_backoff: seconds(-1), ..RetryPolicy::default() }),
            "retry.initial_backoff",
        ),
        (
            with_retry(RetryPolicy { max_backoff: seconds(3_601), ..RetryPolicy::default() }),
            "retry.max_backoff",
        ),
        // Names.
        (TaskSpec { idempotency_key: long(257), ..hi() }, "idempotency_key"),
        (TaskSpec { tenant: long(129), ..hi() }, "tenant"),
        (TaskSpec { group: long(129), ..hi() }, "group"),
        (TaskSpec { client_ref: long(257), ..hi() }, "client_ref"),
        (TaskSpec { limit_key: long(257), ..hi() }, "limit_key"),
        (TaskSpec { traceparent: long(257), ..hi() }, "traceparent"),
        (TaskSpec { parent_id: "seven".into(), ..hi() }, "parent_id"),
        (with_labels((0..33).map(|n| (n.to_string(), String::new()))), "labels"),
        (with_labels([(String::new(), "value".into())]), "labels"),
        (with_labels([(long(65), "value".into())]), "labels"),
        (with_labels([("key".into(), long(257))]), "labels"),
    ]
}

fn assert_refused<T>(answer: Result<T, Status>, code: Code, field: &str) {
    let refused = answer.err().unwrap_or_else(|| panic!("{field} was taken"));
    assert_eq!((refused.code(), fields(&refused)), (code, vec![field.to_owned()]), "{refused:?}");
    let problem = refused.message().strip_prefix(&format!("{field}: "));
    assert!(problem.is_some_and(|problem| problem.len() > 5), "{}", refused.message());
}

#[tokio::test]
async fn a_task_that_is_wrong_is_refused_by_its_field_and_nothing_is_kept() {
    let rig = Rig::start().await;
    for (spec, field) in wrong_tasks() {
        let answer = rig.tasks().submit_task(spec).await;
        assert_refused(answer, Code::InvalidArgument, field);
    }
    assert_eq!(rig.store.counts().queued, 0);
}

#[tokio::test]
async fn one_wrong_task_refuses_the_whole_submission_by_its_place() {
    let rig = Rig::start().await;
    let submit = |tasks| async { rig.tasks().submit_tasks(SubmitTasksRequest { tasks }).await };
    for (spec, field) in wrong_tasks().into_iter().filter(|(spec, _)| spec.content.len() < 100) {
        let tasks = vec![prompt("a"), prompt("b"), spec, prompt("d")];
        assert_refused(submit(tasks).await, Code::InvalidArgument, &format!("tasks[2].{field}"));
    }
    let several = submit(vec![prompt(""), prompt("b"), prompt(""), prompt("")]).await.unwrap_err();
    assert_eq!(fields(&several), ["tasks[0].content", "tasks[2].content", "tasks[3].content"]);

    assert_refused(submit(vec![]).await, Code::InvalidArgument, "tasks");
    assert_refused(submit(vec![prompt("a"); 10_001]).await, Code::InvalidArgument, "tasks");
    let large = vec![prompt(&"x".repeat(8 << 20)); 8];
    assert_refused(submit(large).await, Code::InvalidArgument, "tasks");
    assert_eq!(rig.store.counts().queued, 0);
}

#[tokio::test]
async fn what_was_used_for_another_task_cannot_be_used_again() {
    let rig = Rig::start().await;
    let keyed = |content| TaskSpec { idempotency_key: "key".into(), ..prompt(content) };
    let named = |content| TaskSpec { client_ref: "mine".into(), ..prompt(content) };
    rig.submit(keyed("first")).await;
    rig.submit(named("second")).await;
    let exists = Code::AlreadyExists;
    assert_refused(rig.tasks().submit_task(keyed("other")).await, exists, "idempotency_key");
    assert_refused(rig.tasks().submit_task(named("other")).await, exists, "client_ref");
    let tasks = vec![prompt("new"), keyed("other")];
    let answer = rig.tasks().submit_tasks(SubmitTasksRequest { tasks }).await;
    assert_refused(answer, exists, "tasks[1].idempotency_key");
    assert_eq!(rig.store.counts().queued, 2, "nothing of a refused submission is kept");
}

/// The answers of every method that asks for one task.
async fn about(rig: &Rig, id: &str) -> Vec<Status> {
    let task_id = || id.to_owned();
    let key = String::new();
    let cursor = String::new();
    let mut tasks = rig.tasks();
    [
        tasks.get_task(GetTaskRequest { task_id: task_id() }).await.err(),
        tasks.get_result(GetResultRequest { task_id: task_id(), offset: 0 }).await.err(),
        tasks.watch_task(WatchTaskRequest { task_id: task_id(), cursor }).await.err(),
        tasks
            .cancel_task(CancelTaskRequest { task_id: task_id(), ..Default::default() })
            .await
            .err(),
        tasks.retry_task(RetryTaskRequest { task_id: task_id(), idempotency_key: key }).await.err(),
    ]
    .map(|refused| refused.expect("a refusal"))
    .into()
}

#[tokio::test]
async fn a_task_that_does_not_exist_is_refused_by_its_id() {
    let rig = Rig::start().await;
    for malformed in ["", "seven", "0190b6f0-7f3c-7c3a-9d5e", "../../etc/passwd"] {
        for refused in about(&rig, malformed).await {
            assert_refused(Err::<(), _>(refused), Code::InvalidArgument, "task_id");
        }
    }
    for refused in about(&rig, UNKNOWN).await {
        assert_eq!(refused.code(), Code::NotFound);
        assert!(refused.message().starts_with("task_id: "), "{}", refused.message());
    }
}

#[tokio::test]
async fn cancelling_what_has_ended_says_so_and_changes_nothing() {
    let rig = Rig::start().await;
    let task_id = rig.submit(prompt("hi")).await;
    let request = CancelTaskRequest { task_id: task_id.clone(), ..Default::default() };
    assert!(rig.tasks().cancel_task(request.clone()).await.unwrap().into_inner().cancelled);
    let before = rig.get(&task_id).await;
    let again = rig.tasks().cancel_task(request).await.unwrap().into_inner();
    assert_eq!((again.cancelled, again.state()), (false, TaskState::Cancelled));
    assert_eq!(rig.get(&task_id).await, before);
}

#[tokio::test]
async fn a_cancel_on_condition_leaves_alone_what_is_in_another_state() {
    let rig = Rig::start().await;
    let task_id = rig.submit(prompt("waits")).await;
    let only_if = async |state: i32| {
        let request = CancelTaskRequest { task_id: task_id.clone(), only_if_state: state };
        rig.tasks().cancel_task(request).await.map(tonic::Response::into_inner)
    };
    for not_open in [TaskState::Completed.into(), TaskState::Cancelled.into(), 99] {
        assert_refused(only_if(not_open).await, Code::InvalidArgument, "only_if_state");
    }
    let left = only_if(TaskState::Running.into()).await.unwrap();
    assert_eq!((left.cancelled, left.state()), (false, TaskState::Queued));
    assert_eq!(rig.get(&task_id).await.state(), TaskState::Queued);
    assert!(only_if(TaskState::Queued.into()).await.unwrap().cancelled);
}

#[tokio::test]
async fn a_result_is_read_where_there_is_one() {
    let rig = Rig::start().await;
    let task_id = rig.submit(prompt("hi")).await;
    let request = GetResultRequest { task_id, offset: 0 };
    let refused = rig.tasks().get_result(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("task_id: "), "{}", refused.message());
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_is_refused() {
    let rig = Rig::start().await;
    let task_id = rig.submit(prompt("hi")).await;
    for foreign in ["x", "t1:", "o1:", "o1:xyz", "t1:1:2:-:4", "🦀"] {
        let (task_id, cursor) = (task_id.clone(), foreign.to_owned());
        let one = WatchTaskRequest { task_id, cursor: cursor.clone() };
        assert_refused(rig.tasks().watch_task(one).await, Code::InvalidArgument, "cursor");
        let many = WatchTasksRequest { cursor, ..WatchTasksRequest::default() };
        assert_refused(rig.tasks().watch_tasks(many).await, Code::InvalidArgument, "cursor");
    }
    let beyond = WatchTasksRequest { cursor: "o1:ff".into(), ..WatchTasksRequest::default() };
    let refused = rig.tasks().watch_tasks(beyond).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    let named = WatchTasksRequest { group: "x".repeat(129), ..WatchTasksRequest::default() };
    assert_refused(rig.tasks().watch_tasks(named).await, Code::InvalidArgument, "group");
}
