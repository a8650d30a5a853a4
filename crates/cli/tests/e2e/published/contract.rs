//! What such a worker says, and what becomes of it.

use taskfleet_proto::{
    v1::{CancelTaskRequest, HttpRequest, Task, TaskSpec, TaskState, WaitReason},
    worker::FailureKind,
};

use super::{quick, submit, until_said};
use crate::fleet::Plan;

struct Case {
    script: &'static str,
    state: TaskState,
    kind: FailureKind,
    /// Failed attempts and requeues.
    counted: (u32, u32),
    /// The result, or what the error says.
    words: &'static str,
}

const fn completes(script: &'static str, counted: (u32, u32), words: &'static str) -> Case {
    Case { script, state: TaskState::Completed, kind: FailureKind::Unspecified, counted, words }
}

const fn fails(script: &'static str, kind: FailureKind, words: &'static str) -> Case {
    Case { script, state: TaskState::Failed, kind, counted: (3, 0), words }
}

/// It would be so again: it is not paid for twice.
const fn too_large(script: &'static str) -> Case {
    Case { counted: (0, 0), ..fails(script, FailureKind::BadResponse, "larger than 16 MiB") }
}

const CASES: [Case; 22] = [
    completes("hello", (0, 0), "done: hello"),
    completes("[do:work,work,done]", (0, 0), "done: [do:work,work,done]"),
    completes("[do:text=half,text=whole,unknown,done]", (0, 0), "done: [do:text="),
    completes("[do:silent]", (0, 0), ""),
    completes("[do:both]", (0, 0), "done: [do:both]"),
    completes("[do:anonymous]", (0, 0), "done: [do:anonymous]"),
    completes("[do:done,work,fail=late,done]", (0, 0), "done: [do:done,work"),
    completes("[do:done,wait=60000]", (0, 0), "done: [do:done,wait"),
    // Longer than a worker of ours may take to acknowledge a task, and not even headers.
    completes("[do:wait=6000,done]", (0, 0), "done: [do:wait=6000"),
    completes("[do:work,fail=no;done]", (1, 0), "done: [do:work,fail"),
    completes("[do:status=14;done]", (0, 1), "done: [do:status=14"),
    completes("[do:status=8;done]", (0, 1), "done: [do:status=8"),
    completes("[do:status=12;done]", (0, 1), "done: [do:status=12"),
    fails("[do:work,fail=no luck today]", FailureKind::ApiError, "no luck today"),
    fails("[do:other]", FailureKind::BadResponse, "for another task"),
    fails("[do:work]", FailureKind::Internal, "without saying how"),
    fails("[do:]", FailureKind::Internal, "without saying how"),
    fails("[do:status=13]", FailureKind::Internal, "as the script says"),
    fails("[do:status=5]", FailureKind::Internal, "as the script says"),
    fails("[do:work,status=14]", FailureKind::Internal, "as the script says"),
    too_large("[do:done=17000000]"),
    too_large("[do:work,done=22000000]"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_it_says_leads_to_one_outcome() {
    let fleet = Plan::new(0).listed(64).start().await;
    let mut ids = Vec::new();
    for case in &CASES {
        ids.push(submit(&fleet, quick(case.script)).await);
    }
    for (case, id) in CASES.iter().zip(&ids) {
        check(case, &fleet.ended(id).await);
    }
}

fn check(case: &Case, task: &Task) {
    let script = case.script;
    let result = task.result.clone().unwrap_or_default();
    assert_eq!(task.state(), case.state, "state of {script}: {}", result.error);
    assert_eq!(result.kind(), case.kind, "kind of {script}");
    let counters = task.counters.unwrap_or_default();
    assert_eq!((counters.attempts, counters.requeues), case.counted, "counters of {script}");
    assert_eq!((counters.worker_losses, counters.throttles), (0, 0), "counters of {script}");
    let words = if case.state == TaskState::Failed { &result.error } else { &result.text };
    assert!(words.contains(case.words), "{script}: {words}");
    assert!(!case.words.is_empty() || words.is_empty(), "{script}: {words}");
    assert_eq!(result.usage, None, "{script}");
    let failed = task.attempts.iter().filter(|attempt| attempt.kind() != FailureKind::Unspecified);
    assert!(failed.clone().all(|attempt| attempt.possibly_paid), "{script}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_tasks_stream_is_dropped_also_before_its_first_message() {
    let fleet = Plan::new(0).listed(4).start().await;
    for script in ["[do:wait=600000,done]", "[do:work,hang]"] {
        let id = fleet.submit(script).await;
        until_said(&fleet, "published-0", "called", &id).await;
        let request = CancelTaskRequest { task_id: id.clone(), ..Default::default() };
        fleet.tasks().cancel_task(request).await.unwrap();
        until_said(&fleet, "published-0", "dropped", &id).await;
        assert_eq!(fleet.get(&id).await.state(), TaskState::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_takes_too_long_is_dropped_and_counted() {
    let fleet = Plan::new(0).listed(4).start().await;
    let second = prost_types::Duration { seconds: 1, nanos: 0 };
    let spec = TaskSpec { attempt_timeout: Some(second), ..quick("[do:wait=600000;done]") };
    let id = submit(&fleet, spec).await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.counters.unwrap().attempts), (TaskState::Completed, 1));
    assert_eq!(task.attempts[0].kind(), FailureKind::Timeout);
    assert!(task.attempts[0].possibly_paid);
    until_said(&fleet, "published-0", "dropped", &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_no_task_before_the_last_ones_stream_has_ended() {
    let plan = Plan::new(0).listed(1).published_variable("PUBLISHED_CALLS", "1");
    let fleet = plan.start().await;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(fleet.submit(&format!("{n} [do:work,done,wait=30]")).await);
    }
    for id in &ids {
        let task = fleet.ended(id).await;
        let counters = task.counters.unwrap_or_default();
        assert_eq!((task.state(), counters.requeues), (TaskState::Completed, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_does_not_know_or_take_goes_to_a_worker_that_does() {
    let mut fleet = Plan::new(0).listed(64).start().await;
    let large = TaskSpec { content: "x".repeat(5 << 20), ..TaskSpec::default() };
    let model = TaskSpec { content: "hi".into(), model: "m".into(), ..TaskSpec::default() };
    let told = TaskSpec { instructions: "be kind".into(), ..quick("hi") };
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#.to_owned();
    let request = HttpRequest { endpoint: "/v1/chat/completions".into(), body };
    let request = TaskSpec { request: Some(request), ..TaskSpec::default() };
    let mut ids = Vec::new();
    for spec in [large, model, told, request] {
        ids.push(submit(&fleet, spec).await);
    }
    let plain = fleet.submit("hi").await;
    assert_eq!(fleet.ended(&plain).await.attempts[0].worker, fleet.published(0).address());
    for id in &ids {
        let task = fleet.get(id).await;
        assert_eq!(task.state(), TaskState::Queued);
        assert_ne!(task.waiting.unwrap().reason(), WaitReason::Unspecified);
    }
    fleet.add_worker().await;
    for id in &ids {
        let task = fleet.ended(id).await;
        let worker = task.attempts[0].worker.as_str();
        assert_eq!((task.state(), worker), (TaskState::Completed, "worker-0"));
    }
}
