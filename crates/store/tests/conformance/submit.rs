//! Submitting, and reading back what was submitted.

use std::{collections::BTreeMap, time::Duration};

use taskfleet_core::{
    TaskId,
    queue::Lane,
    retry::RetryPolicy,
    task::{Content, Endpoint, Request, TaskSpec, TaskState, TraceContext, Work},
};
use taskfleet_store::{Conflict, ConflictField, Counts, NewTask, SubmitError, Submitted, TaskMeta};

use crate::harness::{Ground, at, completed, content, holder, keyed};

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Every field differs from its default.
fn full_spec(work: Work) -> TaskSpec {
    TaskSpec {
        work,
        idempotency_key: text("key 🗝"),
        priority: -7,
        tenant: "tenant ü".to_owned(),
        group: "gruppe".to_owned(),
        client_ref: text("ref\u{0}with a zero"),
        parent_id: Some(TaskId::from_bytes([3; 16])),
        labels: BTreeMap::from([
            ("empty".to_owned(), String::new()),
            ("größe".to_owned(), "\"quoted\" \\ 🦀".to_owned()),
        ]),
        attempt_timeout: Duration::from_millis(1_234),
        deadline: Duration::from_micros(98_765_432),
        retry: RetryPolicy {
            max_attempts: 9,
            initial_backoff: Duration::from_nanos(1_500_000_001),
            max_backoff: Duration::from_secs(77),
        },
        limit_key: text("limit"),
        trace: Some(TraceContext {
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            tracestate: String::new(),
        }),
        retry_of: Some(TaskId::from_bytes([4; 16])),
    }
}

fn full_content() -> Work {
    Work::Content(Content {
        text: "Grüße, 🦀!\n\u{0}".to_owned(),
        model: text("model"),
        instructions: text(""),
        parameters_json: text(r#"{"temperature":0.5}"#),
    })
}

fn full_request() -> Work {
    let body = "{ \"model\": \"m\",\t\"input\": \"ä\" }\n".to_owned();
    Work::Request(Request { endpoint: Endpoint::Responses, body, model: Some("m".to_owned()) })
}

pub(crate) async fn everything_that_was_submitted_is_read_back(ground: &Ground) {
    for work in [full_content(), full_request()] {
        let spec = TaskSpec {
            idempotency_key: Some(format!("{work:?}")),
            client_ref: Some(format!("{work:?}")),
            ..full_spec(work)
        };
        let task = ground.task(spec.clone());
        let record = spec.record(task.id, at(5));
        let submitted = ground.store.submit(vec![task.clone()], at(5)).await.unwrap();
        assert_eq!(submitted, [Submitted::New(record.clone())]);
        let detail = ground.detail(task.id).await;
        assert_eq!(detail.record, record);
        assert_eq!(detail.meta, meta(&spec));
        assert_eq!((detail.attempts, detail.result), (vec![], None));
        assert!(ground.store.lanes(None, 9).await.unwrap().contains(&Lane::of(&record)));
        assert!(ground.spec(task.id).await == spec, "the spec came back changed");
    }
}

fn meta(spec: &TaskSpec) -> TaskMeta {
    TaskMeta {
        tenant: spec.tenant.clone(),
        group: spec.group.clone(),
        client_ref: spec.client_ref.clone(),
        parent_id: spec.parent_id,
        retry_of: spec.retry_of,
        endpoint: match &spec.work {
            Work::Content(_) => None,
            Work::Request(request) => Some(request.endpoint),
        },
        labels: spec.labels.clone(),
    }
}

pub(crate) async fn every_part_of_a_spec_that_may_be_missing_may_be_missing(ground: &Ground) {
    let request = |endpoint| {
        TaskSpec::new(Work::Request(Request { endpoint, body: "{}".into(), model: None }))
    };
    let specs = Endpoint::ALL.map(request).into_iter().chain([content("hi")]);
    for spec in specs {
        let id = ground.queued(spec.clone()).await;
        assert!(ground.spec(id).await == spec);
        assert_eq!(ground.detail(id).await.meta, meta(&spec));
    }
}

pub(crate) async fn contents_of_eight_mebibytes_and_of_none_come_back(ground: &Ground) {
    for text in ["ü".repeat(4 << 20), String::new()] {
        let id = ground.queued(content(&text)).await;
        let Work::Content(content) = ground.spec(id).await.work else { panic!("no content") };
        assert!(content.text == text);
        assert_eq!(ground.detail(id).await.record.size_bytes, text.len() as u64);
    }
}

pub(crate) async fn the_same_key_with_the_same_task_is_the_same_task(ground: &Ground) {
    let (id, lease) = ground.running(keyed("text", "key")).await;
    let again = ground.submit(vec![ground.task(keyed("text", "key"))]).await;
    assert_eq!(again, [Submitted::Existing { id, state: TaskState::Running }]);
    ground.apply(id, completed(lease, "done"), at(1)).await.unwrap();
    let task = ground.task(keyed("text", "key"));
    let once_more = ground.submit(vec![task.clone()]).await;
    assert_eq!(once_more, [Submitted::Existing { id, state: TaskState::Completed }]);
    assert_eq!(ground.store.task(task.id, 0).await, Ok(None));
    assert_eq!(ground.store.counts(), Counts { completed: 1, ..Counts::default() });
}

pub(crate) async fn the_same_key_twice_in_a_call_is_one_task(ground: &Ground) {
    let claimed = NewTask { claim: Some(holder(1)), ..ground.task(keyed("text", "key")) };
    let tasks = vec![claimed.clone(), ground.task(keyed("text", "key")), ground.task(content("x"))];
    let submitted = ground.submit(tasks).await;
    assert!(matches!(submitted[0], Submitted::New(_)));
    assert_eq!(submitted[1], Submitted::Existing { id: claimed.id, state: TaskState::Running });
    assert!(matches!(submitted[2], Submitted::New(_)));
    let counts = Counts { queued: 1, running: 1, queued_bytes: 1, ..Counts::default() };
    assert_eq!(ground.store.counts(), counts);
}

pub(crate) async fn a_hundred_submissions_at_once_with_one_key_are_one_task(ground: &Ground) {
    let tasks = (0..100).map(|_| ground.task(keyed("text", "key"))).collect::<Vec<_>>();
    let calls = tasks.into_iter().map(|task| ground.store.submit(vec![task], at(0)));
    let answers = futures::future::join_all(calls).await;
    let answers = answers.into_iter().map(|answer| answer.unwrap().remove(0)).collect::<Vec<_>>();
    let new = answers.iter().filter_map(|answer| match answer {
        Submitted::New(record) => Some(record.id),
        Submitted::Existing { .. } => None,
    });
    let new = new.collect::<Vec<_>>();
    let [first] = new[..] else { panic!("{} are new", new.len()) };
    let existing = Submitted::Existing { id: first, state: TaskState::Queued };
    assert_eq!(answers.iter().filter(|answer| **answer == existing).count(), 99);
    assert_eq!(ground.store.counts().queued, 1);
}

pub(crate) async fn one_clash_refuses_the_whole_call_and_names_every_clash(ground: &Ground) {
    let with_ref = |name: &str| TaskSpec { client_ref: text(name), ..content("text") };
    ground.queued(keyed("text", "old key")).await;
    ground.queued(with_ref("old ref")).await;
    let before = ground.store.counts();
    let specs = [
        content("fine"),
        keyed("another text", "old key"),
        with_ref("old ref"),
        keyed("text", "old key"),
        keyed("text", "new key"),
        keyed("another text", "new key"),
        with_ref("new ref"),
        with_ref("new ref"),
    ];
    let tasks = specs.map(|spec| ground.task(spec)).to_vec();
    let ids = tasks.iter().map(|task| task.id).collect::<Vec<_>>();
    let refused = ground.store.submit(tasks, at(0)).await;
    let conflict = |(index, field)| Conflict { index, field };
    let conflicts = [
        (1, ConflictField::IdempotencyKey),
        (2, ConflictField::ClientRef),
        (5, ConflictField::IdempotencyKey),
        (7, ConflictField::ClientRef),
    ];
    assert_eq!(refused, Err(SubmitError::Conflicts(conflicts.map(conflict).to_vec())));
    assert!(ground.store.specs(ids).await.unwrap().is_empty());
    assert_eq!(ground.store.counts(), before);
    ground.queued(with_ref("new ref")).await;
    ground.queued(keyed("text", "new key")).await;
}

pub(crate) async fn tasks_are_found_by_their_keys(ground: &Ground) {
    let first = ground.task(keyed("first", "key 1"));
    ground.submit(vec![first.clone(), ground.task(content("without"))]).await;
    let (ended, lease) = ground.running(keyed("second one", "key 2")).await;
    ground.apply(ended, completed(lease, "well"), at(1)).await.unwrap();
    let keys = ["key 2", "unknown", "key 1", ""].map(str::to_owned);
    let mut found = ground.store.keyed(keys.into()).await.unwrap();
    found.sort_by(|one, other| one.key.cmp(&other.key));
    let said: Vec<_> = found.iter().map(|task| (task.key.as_str(), task.id, task.state)).collect();
    let expected = [("key 1", first.id, TaskState::Queued), ("key 2", ended, TaskState::Completed)];
    assert_eq!(said, expected);
    assert_eq!(found[0].digest, first.digest);
    assert_eq!(ground.store.keyed(vec![]).await, Ok(vec![]));
}

pub(crate) async fn a_client_ref_is_taken_once_in_each_tenant_and_group(ground: &Ground) {
    let spec = |tenant: &str, group: &str| TaskSpec {
        tenant: tenant.to_owned(),
        group: group.to_owned(),
        client_ref: text("ref"),
        ..content("text")
    };
    let places = [("", ""), ("a", ""), ("", "a"), ("a", "b"), ("ab", "")];
    for (tenant, group) in places {
        ground.queued(spec(tenant, group)).await;
    }
    for (tenant, group) in places {
        let refused = ground.store.submit(vec![ground.task(spec(tenant, group))], at(0)).await;
        let conflict = Conflict { index: 0, field: ConflictField::ClientRef };
        assert_eq!(refused, Err(SubmitError::Conflicts(vec![conflict])));
    }
}

pub(crate) async fn a_task_is_claimed_with_its_submission(ground: &Ground) {
    let task = NewTask { claim: Some(holder(4)), ..ground.task(content("text")) };
    let submitted = ground.submit(vec![task.clone()]).await;
    let [Submitted::New(record)] = &submitted[..] else { panic!("it is new") };
    assert_eq!(record.state, TaskState::Running);
    assert_eq!(record.holder, Some(holder(4)));
    assert_eq!(record.claimed_at, Some(at(0)));
    assert!(record.lease.number() > ground.store.identity().epoch.number());
    assert_eq!(ground.detail(task.id).await.record, *record);
}

pub(crate) async fn an_unknown_task_is_none(ground: &Ground) {
    let unknown = TaskId::from_bytes([9; 16]);
    let known = ground.queued(content("text")).await;
    assert_eq!(ground.store.task(unknown, 0).await, Ok(None));
    let specs = ground.store.specs(vec![unknown, known]).await.unwrap();
    assert_eq!(specs.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [known]);
}

pub(crate) async fn nothing_submitted_is_nothing_done(ground: &Ground) {
    assert_eq!(ground.submit(vec![]).await, []);
    assert_eq!(ground.store.apply(vec![], at(0)).await, Ok(vec![]));
    assert_eq!(ground.store.counts(), Counts::default());
}
