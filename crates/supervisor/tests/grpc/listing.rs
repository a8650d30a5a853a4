//! ListTasks.

use std::collections::HashMap;

use taskfleet_core::{failure::FailureKind, machine::Event};
use taskfleet_proto::{
    v1::{
        ListTasksRequest, ListTasksResponse, SubmitTasksRequest, Task, TaskFilter, TaskSpec,
        TaskState, WaitReason,
    },
    worker,
};
use taskfleet_supervisor::Settings;
use tonic::{Code, Status};

use crate::support::{History, Rig, fields, memory, prompt};

async fn list(rig: &Rig, request: ListTasksRequest) -> Result<ListTasksResponse, Status> {
    rig.tasks().list_tasks(request).await.map(tonic::Response::into_inner)
}

fn with_filter(filter: TaskFilter) -> ListTasksRequest {
    ListTasksRequest { filter: Some(filter), ..ListTasksRequest::default() }
}

fn ids(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.id.as_str()).collect()
}

#[tokio::test]
async fn the_newest_hundred_tasks_are_listed_unless_more_are_asked_for() {
    let rig = Rig::start().await;
    let tasks = (0..150).map(|n| prompt(&format!("prompt {n}"))).collect();
    let submitted = rig.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let submitted = submitted.into_inner().tasks;
    let newest_first: Vec<&str> =
        submitted.iter().rev().map(|task| task.task_id.as_str()).collect();
    let first = list(&rig, ListTasksRequest::default()).await.unwrap();
    assert_eq!(ids(&first.tasks), newest_first[..100]);
    let page_token = first.next_page_token;
    rig.submit(prompt("comes meanwhile")).await;
    let second = ListTasksRequest { page_token, page_size: 1_000, ..ListTasksRequest::default() };
    let second = list(&rig, second).await.unwrap();
    assert_eq!(ids(&second.tasks), newest_first[100..]);
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn a_list_says_what_became_of_each_task_and_not_what_it_answered() {
    let store = memory();
    let failed = History::running(&store, 1, History::spec("a")).await;
    failed.then(History::failed(FailureKind::InvalidRequest, 400)).await;
    let completed = History::running(&store, 2, History::spec("b")).await;
    completed.then(History::completed("the answer")).await;
    let cancelled = History::running(&store, 3, History::spec("c")).await;
    cancelled.then(|_| Event::Cancel).await;
    let rig = Rig::start_with(store, Settings::default()).await;
    let listed = list(&rig, ListTasksRequest::default()).await.unwrap().tasks;
    let said: Vec<_> = listed.iter().map(|task| (task.state(), task.kind())).collect();
    let expected = [
        (TaskState::Cancelled, worker::FailureKind::Cancelled),
        (TaskState::Completed, worker::FailureKind::Unspecified),
        (TaskState::Failed, worker::FailureKind::InvalidRequest),
    ];
    assert_eq!(said, expected);
    assert!(listed.iter().all(|task| task.result.is_none() && task.attempts.is_empty()));
    assert!(listed.iter().all(|task| task.started_at.is_some() && task.finished_at.is_some()));

    let kinds = vec![worker::FailureKind::InvalidRequest.into()];
    let filter = TaskFilter { kinds, ..TaskFilter::default() };
    let failed = list(&rig, with_filter(filter)).await.unwrap().tasks;
    assert_eq!(ids(&failed), ids(&listed[2..]));
}

#[tokio::test]
async fn a_listed_task_that_waits_says_why() {
    let rig = Rig::start().await;
    rig.submit(prompt("waits")).await;
    let listed = list(&rig, ListTasksRequest::default()).await.unwrap().tasks;
    let waiting = listed[0].waiting.clone().unwrap();
    assert_eq!(waiting.reason(), WaitReason::NoWorker);
    assert!(!waiting.detail.is_empty());
}

#[tokio::test]
async fn every_part_of_a_filter_must_match() {
    let rig = Rig::start().await;
    let labels = HashMap::from([("team".to_owned(), "blue".to_owned())]);
    let named = TaskSpec {
        tenant: "tenant".into(),
        group: "group".into(),
        labels: labels.clone(),
        ..prompt("named")
    };
    let id = rig.submit(named).await;
    rig.submit(prompt("unnamed")).await;
    let states = vec![TaskState::Queued.into(), TaskState::Failed.into()];
    let (tenant, group) = ("tenant".to_owned(), "group".to_owned());
    let filter = TaskFilter { states, tenant, group, labels, kinds: vec![] };
    let listed = list(&rig, with_filter(filter.clone())).await.unwrap().tasks;
    assert_eq!(ids(&listed), [&id]);
    let others = [
        TaskFilter { states: vec![TaskState::Running.into()], ..filter.clone() },
        TaskFilter { tenant: "other".into(), ..filter.clone() },
        TaskFilter { group: "other".into(), ..filter.clone() },
        TaskFilter { labels: [("team".to_owned(), "red".to_owned())].into(), ..filter },
    ];
    for other in others {
        assert!(list(&rig, with_filter(other)).await.unwrap().tasks.is_empty());
    }
}

#[tokio::test]
async fn a_page_of_tasks_with_long_labels_fits_into_any_clients_message() {
    let rig = Rig::start().await;
    let labels: HashMap<_, _> = (0..32).map(|n| (format!("{n:064}"), "x".repeat(256))).collect();
    let tasks = vec![TaskSpec { labels, ..prompt("labelled") }; 500];
    rig.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let (mut seen, mut page_token) = (std::collections::HashSet::new(), String::new());
    loop {
        let request =
            ListTasksRequest { page_size: 1_000, page_token, ..ListTasksRequest::default() };
        // The client's own limit is the 4 MiB that gRPC sets by default.
        let page = list(&rig, request).await.unwrap();
        seen.extend(page.tasks.into_iter().map(|task| task.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 500);
}

#[tokio::test]
async fn page_sizes_and_tokens_and_filters_that_are_wrong_are_refused_by_name() {
    let rig = Rig::start().await;
    for n in 0..3 {
        rig.submit(prompt(&format!("prompt {n}"))).await;
    }
    let one = ListTasksRequest { page_size: 1, ..ListTasksRequest::default() };
    let page_token = list(&rig, one).await.unwrap().next_page_token;
    let with_token = |page_token: &str| ListTasksRequest {
        page_token: page_token.to_owned(),
        ..ListTasksRequest::default()
    };
    let elsewhere = TaskFilter { group: "other".into(), ..TaskFilter::default() };
    let labels = HashMap::from([(String::new(), "value".to_owned())]);
    let wrong = [
        (ListTasksRequest { page_size: 1_001, ..ListTasksRequest::default() }, "page_size"),
        (with_token("page two, please"), "page_token"),
        (with_token(&page_token[..page_token.len() - 3]), "page_token"),
        (with_token("o1:3"), "page_token"),
        (ListTasksRequest { page_token, ..with_filter(elsewhere) }, "page_token"),
        (
            with_filter(TaskFilter { states: vec![1, 77], ..TaskFilter::default() }),
            "filter.states[1]",
        ),
        (with_filter(TaskFilter { kinds: vec![0], ..TaskFilter::default() }), "filter.kinds[0]"),
        (
            with_filter(TaskFilter { group: "x".repeat(129), ..TaskFilter::default() }),
            "filter.group",
        ),
        (with_filter(TaskFilter { labels, ..TaskFilter::default() }), "filter.labels"),
    ];
    for (request, field) in wrong {
        let refused = list(&rig, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert_eq!(fields(&refused), [field]);
        assert!(refused.message().contains(field), "{}", refused.message());
    }
}
