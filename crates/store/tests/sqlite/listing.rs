//! How much a page of a list costs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use taskfleet_core::{
    Lease, TaskId,
    failure::{Delivery, FailureKind},
    machine::Event,
    outcome::{Call, End, Failure, Outcome, Payload},
    retry::Jitter,
    task::{TaskSpec, TaskState},
};
use taskfleet_store::{
    Change, NewTask, SqliteOptions, SqliteStore, Store, Submitted, TaskFilter, TaskPage,
};
use tempfile::TempDir;

use crate::support::{at, holder, task};

/// Tasks that have ended, but for the last thousand, which wait; one in a thousand failed.
/// Each has a tenant, a group of three thousand, and labels that all share or a few have.
async fn filled(count: u32) -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tasks.db");
    let options = SqliteOptions { path, now: at(1), random: [1; 16] };
    let store = SqliteStore::open(options).unwrap();
    for first in (0..count).step_by(1_000) {
        let numbers = first..count.min(first + 1_000);
        let waits = numbers.end >= count;
        let tasks = numbers.map(|n| numbered(n, waits)).collect();
        let submitted = store.submit(tasks, at(1)).await.unwrap();
        if !waits {
            end_all(&store, submitted).await;
        }
    }
    (store, directory)
}

fn numbered(n: u32, waits: bool) -> NewTask {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&n.to_be_bytes());
    let labels =
        [("all".to_owned(), "same".to_owned()), ("nth".to_owned(), (n % 5_000).to_string())];
    let spec = TaskSpec {
        tenant: format!("tenant {}", n % 2),
        group: format!("group {}", n / 3_000),
        labels: BTreeMap::from(labels),
        idempotency_key: None,
        ..TaskSpec::clone(&task(0).spec)
    };
    let claim = (!waits).then(holder);
    NewTask { id: TaskId::new(at(1), random), spec: Arc::new(spec), digest: [0; 32], claim }
}

async fn end_all(store: &SqliteStore, submitted: Vec<Submitted>) {
    let ended = submitted.into_iter().enumerate().map(|(nth, submitted)| {
        let Submitted::New(record) = submitted else { panic!("it is new") };
        let event = end(record.lease, nth == 0);
        Change { task: record.id, event, jitter: Jitter::new(0.0) }
    });
    let applied = store.apply(ended.collect(), at(2)).await.unwrap();
    assert!(applied.iter().all(Result::is_ok));
}

fn end(lease: Lease, failed: bool) -> Event {
    let failure = Failure {
        kind: FailureKind::InvalidRequest,
        message: "no".to_owned(),
        retry_after: None,
        permanent: false,
    };
    let done = End::Completed(Payload::Text("done".to_owned()));
    let end = if failed { End::Failed(failure) } else { done };
    Event::Ended { lease, outcome: Outcome { end, call: Call::new(Delivery::Answered) } }
}

fn in_state(state: TaskState) -> TaskFilter {
    TaskFilter { states: [state].into(), ..TaskFilter::default() }
}

fn labelled(key: &str, value: &str) -> TaskFilter {
    let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    TaskFilter { labels, ..TaskFilter::default() }
}

async fn page(store: &SqliteStore, filter: &TaskFilter, before: Option<TaskId>) -> TaskPage {
    store.list(filter.clone(), before, 100).await.unwrap()
}

#[tokio::test]
async fn a_page_that_finds_next_to_nothing_ends_early_and_the_next_goes_on() {
    let (store, _directory) = filled(6_000).await;
    // The group's way is short, but no label that it needs is there.
    let nowhere = TaskFilter { group: "group 0".to_owned(), ..labelled("all", "other") };
    assert_eq!(page(&store, &nowhere, None).await, TaskPage::default());
    // All have the label, and only the oldest ones are of the group.
    let oldest = TaskFilter { group: "group 0".to_owned(), ..labelled("all", "same") };
    let first = page(&store, &oldest, None).await;
    assert!(first.tasks.is_empty() && first.next.is_some());
    let (mut found, mut next, mut pages) = (first.tasks.len(), first.next, 1);
    while next.is_some() {
        let page = page(&store, &oldest, next).await;
        (found, next, pages) = (found + page.tasks.len(), page.next, pages + 1);
    }
    assert_eq!(found, 3_000);
    assert!(pages < 40, "{pages} pages");
}

#[tokio::test]
#[ignore = "fills a store for minutes; run it on a quiet machine after a change of indexes or queries"]
async fn a_page_of_a_million_tasks_takes_milliseconds_whatever_is_asked_for() {
    let (store, _directory) = filled(1_000_000).await;
    let tenant = || TaskFilter { tenant: "tenant 1".to_owned(), ..TaskFilter::default() };
    let group = |n: u32| TaskFilter { group: format!("group {n}"), ..TaskFilter::default() };
    let filters = [
        TaskFilter::default(),
        in_state(TaskState::Queued),
        in_state(TaskState::Running),
        in_state(TaskState::Completed),
        in_state(TaskState::Failed),
        in_state(TaskState::Cancelled),
        TaskFilter { kinds: [FailureKind::InvalidRequest].into(), ..TaskFilter::default() },
        TaskFilter { kinds: [FailureKind::Timeout].into(), ..TaskFilter::default() },
        tenant(),
        group(0),
        group(50),
        TaskFilter { group: "group 0".to_owned(), ..in_state(TaskState::Failed) },
        TaskFilter { tenant: "tenant 1".to_owned(), ..in_state(TaskState::Completed) },
        TaskFilter { tenant: "nobody".to_owned(), ..in_state(TaskState::Completed) },
        labelled("all", "same"),
        labelled("nth", "4321"),
        TaskFilter { group: "group 0".to_owned(), ..labelled("all", "same") },
        TaskFilter { tenant: "nobody".to_owned(), ..labelled("all", "same") },
    ];
    let mut slow = Vec::new();
    for filter in filters {
        let (mut next, mut slowest, mut found) = (None, Duration::ZERO, 0);
        for _ in 0..20 {
            let began = tokio::time::Instant::now();
            let page = page(&store, &filter, next).await;
            slowest = slowest.max(began.elapsed());
            (next, found) = (page.next, found + page.tasks.len());
            if next.is_none() {
                break;
            }
        }
        println!("{slowest:>12.1?} {found:>5} {filter:?}");
        slow.extend((slowest > Duration::from_millis(50)).then_some((slowest, filter)));
    }
    assert!(slow.is_empty(), "{slow:?}");
}
