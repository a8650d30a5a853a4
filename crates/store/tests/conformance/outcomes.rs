//! The feed of outcomes.

use std::collections::BTreeMap;

use taskfleet_core::{
    TaskId,
    machine::Event,
    outcome::{End, Payload},
    task::{TaskSpec, TaskState},
};
use taskfleet_store::{OutcomeFilter, OutcomePage};

use crate::harness::{Ground, WHOLE, at, completed, content, ended, full_call};

async fn done(ground: &Ground, spec: TaskSpec) -> TaskId {
    let (id, lease) = ground.running(spec).await;
    ground.apply(id, completed(lease, "done"), at(1)).await.unwrap();
    id
}

async fn page(ground: &Ground, filter: OutcomeFilter, after: u64, limit: usize) -> OutcomePage {
    ground.store.outcomes(filter, after, limit, WHOLE).await.unwrap()
}

fn ids(page: &OutcomePage) -> Vec<(u64, TaskId)> {
    page.outcomes.iter().map(|(number, detail)| (*number, detail.record.id)).collect()
}

pub(crate) async fn outcomes_come_in_the_order_in_which_tasks_ended(ground: &Ground) {
    assert_eq!(ground.store.last_outcome(), 0);
    let waits = ground.queued(content("first in, last out")).await;
    let completed = done(ground, content("text")).await;
    let cancelled = ground.queued(content("text")).await;
    ground.apply(cancelled, Event::Cancel, at(2)).await.unwrap();
    ground.running(content("still runs")).await;
    ground.apply(waits, Event::Cancel, at(3)).await.unwrap();
    let page = page(ground, OutcomeFilter::default(), 0, 9).await;
    assert_eq!(ids(&page), [(1, completed), (2, cancelled), (3, waits)]);
    assert_eq!((page.seen, ground.store.last_outcome()), (3, 3));
}

pub(crate) async fn pages_follow_one_another_without_a_gap(ground: &Ground) {
    for _ in 0..7 {
        done(ground, content("text")).await;
    }
    let (mut numbers, mut seen) = (Vec::new(), 0);
    while seen < ground.store.last_outcome() {
        let page = page(ground, OutcomeFilter::default(), seen, 3).await;
        numbers.extend(page.outcomes.iter().map(|(number, _)| *number));
        seen = page.seen;
    }
    assert_eq!(numbers, (1..=7).collect::<Vec<_>>());
}

pub(crate) async fn filters_must_all_match(ground: &Ground) {
    let labels = |pairs: &[(&str, &str)]| {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect::<BTreeMap<_, _>>()
    };
    let spec = |tenant: &str, group: &str, pairs: &[(&str, &str)]| TaskSpec {
        tenant: tenant.to_owned(),
        group: group.to_owned(),
        labels: labels(pairs),
        ..content("text")
    };
    done(ground, spec("a", "x", &[("color", "red"), ("size", "")])).await;
    done(ground, spec("a", "y", &[("color", "red")])).await;
    done(ground, spec("b", "x", &[("color", "blue"), ("size", "")])).await;
    done(ground, spec("", "", &[])).await;
    let found = |tenant: &str, group: &str, pairs: &[(&str, &str)]| {
        let (tenant, group) = (tenant.to_owned(), group.to_owned());
        let filter = OutcomeFilter { tenant, group, labels: labels(pairs) };
        async move {
            let page = page(ground, filter, 0, 9).await;
            assert_eq!(page.seen, 4);
            page.outcomes.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("", "", &[]).await, [1, 2, 3, 4]);
    assert_eq!(found("a", "", &[]).await, [1, 2]);
    assert_eq!(found("", "x", &[]).await, [1, 3]);
    assert_eq!(found("a", "x", &[]).await, [1]);
    assert_eq!(found("", "", &[("color", "red")]).await, [1, 2]);
    assert_eq!(found("", "", &[("color", "red"), ("size", "")]).await, [1]);
    assert_eq!(found("", "x", &[("size", "")]).await, [1, 3]);
    assert!(found("c", "", &[]).await.is_empty());
    assert!(found("", "", &[("red", "color")]).await.is_empty());
}

pub(crate) async fn an_empty_page_has_seen_everything(ground: &Ground) {
    let nothing = |seen| OutcomePage { outcomes: vec![], seen };
    assert_eq!(page(ground, OutcomeFilter::default(), 0, 9).await, nothing(0));
    done(ground, content("text")).await;
    done(ground, content("text")).await;
    let nobodys = OutcomeFilter { tenant: "nobody".to_owned(), ..OutcomeFilter::default() };
    assert_eq!(page(ground, nobodys, 0, 9).await, nothing(2));
    assert_eq!(page(ground, OutcomeFilter::default(), 2, 9).await, nothing(2));
    assert_eq!(page(ground, OutcomeFilter::default(), u64::MAX, 9).await, nothing(u64::MAX));
    assert_eq!(page(ground, OutcomeFilter::default(), 1, 0).await, nothing(1));
}

pub(crate) async fn a_page_ends_when_its_results_fill_it(ground: &Ground) {
    for _ in 0..4 {
        let (id, lease) = ground.running(content("text")).await;
        ground.apply(id, completed(lease, &"r".repeat(600 << 10)), at(1)).await.unwrap();
    }
    let first = page(ground, OutcomeFilter::default(), 0, 9).await;
    assert_eq!((first.outcomes.len(), first.seen), (2, 2));
    let second = page(ground, OutcomeFilter::default(), first.seen, 9).await;
    assert_eq!((second.outcomes.len(), second.seen), (2, 4));
    let without = ground.store.outcomes(OutcomeFilter::default(), 0, 9, 0).await.unwrap();
    assert_eq!(without.outcomes.len(), 4, "what is not read takes no room");
}

pub(crate) async fn results_are_cut_between_characters(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    ground.apply(id, completed(lease, "aü🦀"), at(1)).await.unwrap();
    let cuts = [(0, ""), (1, "a"), (2, "a"), (3, "aü"), (6, "aü"), (7, "aü🦀"), (8, "aü🦀")];
    for (max, expected) in cuts {
        let page = ground.store.outcomes(OutcomeFilter::default(), 0, 9, max).await.unwrap();
        let listed = page.outcomes.into_iter().next().unwrap().1.result;
        let single = ground.store.task(id, max).await.unwrap().unwrap().result;
        assert_eq!(listed, single);
        let result = single.unwrap();
        assert_eq!(result.size_bytes, 7);
        assert!(result.payload == Some(Payload::Text(expected.to_owned())), "cut at {max}");
    }
    let (id, lease) = ground.running(content("text")).await;
    let body = Payload::Body("aü".into());
    ground.apply(id, ended(lease, End::Completed(body), full_call(1)), at(1)).await.unwrap();
    let result = ground.store.task(id, 2).await.unwrap().unwrap().result.unwrap();
    assert!(result.payload == Some(Payload::Body(vec![b'a', 0xc3])));
}

pub(crate) async fn outcomes_carry_what_the_client_said(ground: &Ground) {
    let spec = TaskSpec {
        group: "group".to_owned(),
        client_ref: Some("mine".to_owned()),
        labels: BTreeMap::from([("key".to_owned(), "value".to_owned())]),
        ..content("text")
    };
    let id = done(ground, spec).await;
    let page = page(ground, OutcomeFilter::default(), 0, 9).await;
    let (_, listed) = &page.outcomes[0];
    let single = ground.detail(id).await;
    assert_eq!(listed.record.state, TaskState::Completed);
    assert_eq!((&listed.record, &listed.meta), (&single.record, &single.meta));
    assert_eq!(listed.result, single.result);
    assert!(listed.attempts.is_empty());
}
