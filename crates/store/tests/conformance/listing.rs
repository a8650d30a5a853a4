//! Lists of tasks.

use std::collections::{BTreeMap, BTreeSet};

use taskfleet_core::{
    TaskId,
    failure::FailureKind,
    machine::Event,
    task::{TaskSpec, TaskState},
};
use taskfleet_store::{Store, TaskDetail, TaskFilter};

use crate::harness::{Ground, at, completed, content, failed};

/// The whole list, page after page.
pub(crate) async fn all(store: &dyn Store, filter: &TaskFilter, limit: usize) -> Vec<TaskDetail> {
    let (mut tasks, mut before) = (vec![], None);
    loop {
        let page = store.list(filter.clone(), before, limit).await.unwrap();
        assert!(page.tasks.len() <= limit);
        assert!(before.is_none_or(|before| page.next.is_none_or(|next| next < before)));
        tasks.extend(page.tasks);
        before = page.next;
        if before.is_none() {
            return tasks;
        }
    }
}

async fn ids(ground: &Ground, filter: &TaskFilter) -> Vec<TaskId> {
    all(&*ground.store, filter, 2).await.into_iter().map(|task| task.record.id).collect()
}

async fn ended(ground: &Ground, spec: TaskSpec, state: TaskState) -> TaskId {
    let (id, lease) = ground.running(spec).await;
    let event = match state {
        TaskState::Completed => completed(lease, "done"),
        TaskState::Failed => failed(lease, FailureKind::InvalidRequest, "no"),
        _ => Event::Cancel,
    };
    assert_eq!(ground.apply(id, event, at(1)).await.unwrap().record.state, state);
    id
}

/// One of each state, oldest first: queued, running, completed, failed, cancelled.
async fn one_of_each(ground: &Ground, spec: &TaskSpec) -> Vec<TaskId> {
    let mut ids = vec![ground.queued(spec.clone()).await, ground.running(spec.clone()).await.0];
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        ids.push(ended(ground, spec.clone(), state).await);
    }
    ids
}

fn in_states(states: &[TaskState]) -> TaskFilter {
    TaskFilter { states: states.iter().copied().collect(), ..TaskFilter::default() }
}

fn newest_first(ids: &[TaskId]) -> Vec<TaskId> {
    ids.iter().rev().copied().collect()
}

pub(crate) async fn the_newest_task_is_listed_first(ground: &Ground) {
    let tasks = one_of_each(ground, &content("text")).await;
    assert_eq!(ids(ground, &TaskFilter::default()).await, newest_first(&tasks));
}

pub(crate) async fn a_list_is_walked_page_by_page(ground: &Ground) {
    let list = |before, limit| ground.store.list(TaskFilter::default(), before, limit);
    assert_eq!(list(None, 9).await, Ok(taskfleet_store::TaskPage::default()));
    let mut tasks = Vec::new();
    for _ in 0..5 {
        tasks.push(ground.queued(content("text")).await);
    }
    let first = list(None, 2).await.unwrap();
    assert_eq!((first.tasks.len(), first.next), (2, Some(tasks[3])));
    let newer = ground.queued(content("comes meanwhile")).await;
    let rest = list(first.next, 3).await.unwrap();
    assert_eq!((rest.tasks.len(), rest.next), (3, None));
    assert!(rest.tasks.iter().all(|task| task.record.id != newer));
}

pub(crate) async fn a_list_shows_neither_attempts_nor_results(ground: &Ground) {
    let spec = TaskSpec {
        client_ref: Some("mine".to_owned()),
        labels: BTreeMap::from([("key".to_owned(), "value".to_owned())]),
        ..content("text")
    };
    let id = ended(ground, spec, TaskState::Failed).await;
    let listed = all(&*ground.store, &TaskFilter::default(), 9).await.remove(0);
    let whole = ground.detail(id).await;
    assert_eq!((&listed.record, &listed.meta), (&whole.record, &whole.meta));
    assert_eq!((listed.attempts.len(), listed.result), (0, None));
}

pub(crate) async fn tasks_are_listed_by_any_of_some_states(ground: &Ground) {
    let tasks = one_of_each(ground, &content("text")).await;
    for (state, id) in TaskState::ALL.into_iter().zip(&tasks) {
        assert_eq!(ids(ground, &in_states(&[state])).await, [*id]);
    }
    let open = in_states(&[TaskState::Queued, TaskState::Running]);
    assert_eq!(ids(ground, &open).await, newest_first(&tasks[..2]));
    let all_but_completed = in_states(&[
        TaskState::Queued,
        TaskState::Running,
        TaskState::Failed,
        TaskState::Cancelled,
    ]);
    let expected = [&tasks[..2], &tasks[3..]].concat();
    assert_eq!(ids(ground, &all_but_completed).await, newest_first(&expected));
}

pub(crate) async fn tasks_are_listed_by_how_they_failed(ground: &Ground) {
    let tasks = one_of_each(ground, &content("text")).await;
    let (retried, lease) = ground.running(content("text")).await;
    let again = failed(lease, FailureKind::ApiError, "");
    assert_eq!(ground.apply(retried, again, at(1)).await.unwrap().record.state, TaskState::Queued);
    let with = |kind| TaskFilter { kinds: BTreeSet::from([kind]), ..TaskFilter::default() };
    assert_eq!(ids(ground, &with(FailureKind::InvalidRequest)).await, [tasks[3]]);
    assert_eq!(ids(ground, &with(FailureKind::Cancelled)).await, [tasks[4]]);
    assert!(ids(ground, &with(FailureKind::ApiError)).await.is_empty(), "it has not ended with it");
    let queued =
        TaskFilter { states: BTreeSet::from([TaskState::Queued]), ..with(FailureKind::ApiError) };
    assert!(ids(ground, &queued).await.is_empty());
}

pub(crate) async fn every_part_of_a_list_filter_must_match(ground: &Ground) {
    let labels = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect::<BTreeMap<_, _>>()
    };
    let spec = TaskSpec {
        tenant: "tenant".to_owned(),
        group: "group".to_owned(),
        labels: labels(&[("a", "1"), ("b", "2")]),
        ..content("text")
    };
    one_of_each(ground, &content("unnamed")).await;
    let tasks = one_of_each(ground, &spec).await;
    let matching = TaskFilter {
        tenant: spec.tenant.clone(),
        group: spec.group.clone(),
        labels: spec.labels.clone(),
        ..TaskFilter::default()
    };
    let expected = newest_first(&tasks);
    let none = TaskFilter::default();
    let alone = [
        TaskFilter { tenant: spec.tenant.clone(), ..none.clone() },
        TaskFilter { group: spec.group.clone(), ..none.clone() },
        TaskFilter { labels: labels(&[("b", "2")]), ..none.clone() },
        matching.clone(),
    ];
    for filter in alone {
        assert_eq!(ids(ground, &filter).await, expected, "{filter:?}");
        let completed =
            TaskFilter { states: BTreeSet::from([TaskState::Completed]), ..filter.clone() };
        assert_eq!(ids(ground, &completed).await, [tasks[2]], "{completed:?}");
        let failed = TaskFilter { states: BTreeSet::from([TaskState::Failed]), ..filter.clone() };
        assert_eq!(ids(ground, &failed).await, [tasks[3]], "{failed:?}");
        let kinds = TaskFilter { kinds: BTreeSet::from([FailureKind::Cancelled]), ..filter };
        assert_eq!(ids(ground, &kinds).await, [tasks[4]], "{kinds:?}");
    }
    let wrong = [
        TaskFilter { tenant: "other".to_owned(), ..matching.clone() },
        TaskFilter { group: "other".to_owned(), ..matching.clone() },
        TaskFilter { labels: labels(&[("a", "1"), ("b", "3")]), ..matching.clone() },
        TaskFilter { labels: labels(&[("a", "1"), ("c", "2")]), ..matching },
    ];
    for filter in wrong {
        assert!(ids(ground, &filter).await.is_empty(), "{filter:?}");
    }
}
