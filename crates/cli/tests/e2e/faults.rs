//! Three workers, three hundred tasks, marked faults: each marker fixes what must happen.

use std::collections::HashMap;

use taskfleet_proto::{
    v1::{RetryPolicy, SubmitTasksRequest, Task, TaskSpec, TaskState, WatchTasksRequest},
    worker::FailureKind,
};

use crate::fleet::{BOUND, Fleet};

/// What a marker leads to.
struct Case {
    marker: &'static str,
    state: TaskState,
    kind: FailureKind,
    calls: u32,
    throttles: u32,
}

const fn completes(marker: &'static str, calls: u32, throttles: u32) -> Case {
    Case { marker, state: TaskState::Completed, kind: FailureKind::Unspecified, calls, throttles }
}

const fn fails(marker: &'static str, kind: FailureKind, calls: u32) -> Case {
    Case { marker, state: TaskState::Failed, kind, calls, throttles: 0 }
}

const CASES: [Case; 20] = [
    completes("[sim:ok]", 1, 0),
    completes("[sim:ok,deltas=30,delay=5]", 1, 0),
    completes("[sim:length]", 1, 0),
    completes("[sim:abort]", 1, 0),
    completes("[sim:500,ok]", 2, 0),
    completes("[sim:html500,502,ok]", 3, 0),
    completes("[sim:cut,ok]", 2, 0),
    completes("[sim:eof,ok]", 2, 0),
    completes("[sim:garbage,ok]", 2, 0),
    completes("[sim:errmid,ok]", 2, 0),
    completes("[sim:429:0.1,ok]", 2, 1),
    completes("[sim:429ms:50,429ms:50,ok]", 3, 2),
    completes("[sim:429,ok]", 2, 1),
    completes("[sim:503,ok]", 2, 1),
    completes("[sim:quota,ok]", 2, 1),
    fails("[sim:500]", FailureKind::ApiError, 3),
    fails("[sim:eof]", FailureKind::BadResponse, 3),
    fails("[sim:400]", FailureKind::InvalidRequest, 1),
    fails("[sim:401]", FailureKind::Authentication, 1),
    fails("[sim:filter]", FailureKind::ContentFiltered, 1),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_leads_to_its_state_kind_and_number_of_calls() {
    let fleet = Fleet::start(3).await;
    let prompts: Vec<String> =
        (0..300).map(|n| format!("prompt {n} {}", CASES[n % CASES.len()].marker)).collect();
    let tasks: Vec<TaskSpec> = prompts.iter().map(|prompt| quick(prompt)).collect();
    let submitted = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let submitted = submitted.into_inner();
    let ended = tokio::time::timeout(BOUND, outcomes(&fleet, &submitted.cursor, 300)).await;
    let ended = ended.expect("every task ends");

    let calls = fleet.calls().await;
    let mut expected_total = 0;
    for ((n, submitted), prompt) in submitted.tasks.iter().enumerate().zip(&prompts) {
        let case = &CASES[n % CASES.len()];
        let task = &ended[&submitted.task_id];
        check(task, case, prompt);
        assert_eq!(calls.of_task(&task.id), case.calls, "calls of {}", case.marker);
        expected_total += u64::from(case.calls);
    }
    assert_eq!(calls.total, expected_total);
    assert_eq!(calls.open, 0);
}

/// Retries without long pauses.
fn quick(prompt: &str) -> TaskSpec {
    let pause = prost_types::Duration { seconds: 0, nanos: 50_000_000 };
    let retry = RetryPolicy {
        max_attempts: Some(3),
        initial_backoff: Some(pause),
        max_backoff: Some(pause),
    };
    TaskSpec {
        content: prompt.to_owned(),
        group: "faults".into(),
        retry: Some(retry),
        ..TaskSpec::default()
    }
}

async fn outcomes(fleet: &Fleet, cursor: &str, count: usize) -> HashMap<String, Task> {
    let request = WatchTasksRequest {
        group: "faults".into(),
        cursor: cursor.to_owned(),
        ..WatchTasksRequest::default()
    };
    let mut feed = fleet.tasks().watch_tasks(request).await.unwrap().into_inner();
    let mut ended = HashMap::new();
    while ended.len() < count {
        let event = feed.message().await.unwrap().expect("the feed has no end");
        if let Some(task) = event.task {
            assert!(ended.insert(task.id.clone(), task).is_none(), "an outcome came twice");
        }
    }
    ended
}

fn check(task: &Task, case: &Case, prompt: &str) {
    let marker = case.marker;
    let result = task.result.clone().unwrap_or_default();
    assert_eq!(task.state(), case.state, "state of {marker}: {}", result.error);
    assert_eq!(result.kind(), case.kind, "kind of {marker}");
    let counters = task.counters.unwrap_or_default();
    assert_eq!(counters.throttles, case.throttles, "throttles of {marker}");
    assert_eq!((counters.worker_losses, counters.requeues), (0, 0), "counters of {marker}");
    if case.state == TaskState::Completed {
        let digest = format!("digest:{}", openai_sim::digest(prompt));
        assert!(result.text.starts_with(&digest), "{marker} got another task's result");
    } else {
        assert!(!result.error.is_empty(), "{marker} says what went wrong");
    }
}
