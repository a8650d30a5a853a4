//! Taking ended tasks out.

use std::collections::BTreeMap;

use taskfleet_core::{TaskId, machine::Event, task::TaskSpec};
use taskfleet_store::{Counts, EndedPage, OutcomeFilter, Submitted};

use crate::harness::{Ground, LONG, at, completed, content, keyed};

const ROWS: usize = 1_000;

async fn done(ground: &Ground, spec: TaskSpec, seconds: u64) -> TaskId {
    let (id, lease) = ground.running(spec).await;
    ground.apply(id, completed(lease, "done"), at(seconds)).await.unwrap();
    id
}

pub(crate) async fn what_ended_first_is_due_first_and_what_is_open_never(ground: &Ground) {
    let due = |seconds, limit| async move {
        ground.store.ended_by(at(seconds), 0, limit).await.unwrap().due
    };
    let (second, first) = (content("second"), content("first"));
    ground.queued(content("waits")).await;
    ground.running(content("runs")).await;
    let first = done(ground, first, 10).await;
    let second = done(ground, second, 20).await;
    assert!(due(9, 9).await.is_empty());
    assert_eq!(due(10, 9).await, [first]);
    assert_eq!(due(1_000, 9).await, [first, second]);
    assert_eq!(due(1_000, 1).await, [first]);
}

pub(crate) async fn what_ended_under_a_clock_in_the_future_can_be_passed(ground: &Ground) {
    let future = [done(ground, content("a"), 9_000).await, done(ground, content("b"), 9_001).await];
    let due = done(ground, content("c"), 10).await;
    let first = ground.store.ended_by(at(10), 0, 2).await.unwrap();
    assert_eq!(first, EndedPage { due: vec![], more_after: Some(2) });
    let next = ground.store.ended_by(at(10), 2, 2).await.unwrap();
    assert_eq!(next, EndedPage { due: vec![due], more_after: None });
    let all = ground.store.ended_by(at(9_001), 0, 3).await.unwrap();
    assert_eq!(all, EndedPage { due: vec![future[0], future[1], due], more_after: Some(3) });
}

pub(crate) async fn a_removed_task_leaves_nothing_behind(ground: &Ground) {
    let spec = TaskSpec {
        client_ref: Some("mine".to_owned()),
        labels: BTreeMap::from([("key".to_owned(), "value".to_owned())]),
        ..keyed("text", "key")
    };
    let id = done(ground, spec.clone(), 1).await;
    let kept = done(ground, content("kept"), 2).await;
    assert_eq!(ground.store.remove(vec![id], ROWS).await, Ok(1));
    assert_eq!(ground.store.task(id, 0).await, Ok(None));
    assert!(ground.store.specs(vec![id]).await.unwrap().is_empty());
    assert_eq!(ground.store.counts(), Counts { completed: 1, ..Counts::default() });
    let outcomes = ground.store.outcomes(OutcomeFilter::default(), 0, 9, 9).await.unwrap();
    let left: Vec<_> = outcomes.outcomes.iter().map(|(n, task)| (*n, task.record.id)).collect();
    assert_eq!((left, outcomes.seen), (vec![(2, kept)], 2));

    // Its key and its client's own id are free again.
    let again = ground.submit(vec![ground.task(spec)]).await;
    assert!(matches!(again[0], Submitted::New(_)));
    assert_eq!(ground.store.remove(vec![id], ROWS).await, Ok(0));
}

pub(crate) async fn only_ended_tasks_are_removed(ground: &Ground) {
    let waits = ground.queued(content("waits")).await;
    let (runs, _) = ground.running(content("runs")).await;
    let unknown = TaskId::from_bytes([9; 16]);
    assert_eq!(ground.store.remove(vec![waits, unknown, runs], ROWS).await, Ok(0));
    assert_eq!(ground.store.counts().queued + ground.store.counts().running, 2);
}

pub(crate) async fn a_step_removes_no_more_than_so_many_rows(ground: &Ground) {
    let mut tasks = Vec::new();
    for _ in 0..40 {
        tasks.push(done(ground, content("text"), 1).await);
    }
    // Each is a task, its specification, its result and one execution.
    assert_eq!(ground.store.remove(tasks.clone(), 103).await, Ok(25));
    assert_eq!(ground.store.remove(tasks, 103).await, Ok(15));
}

pub(crate) async fn a_long_history_is_removed_over_several_steps(ground: &Ground) {
    let (id, mut lease) = ground.running(TaskSpec { deadline: LONG, ..content("text") }).await;
    for n in 0..4 {
        ground.apply(id, Event::Lost { lease }, at(1_000 * n)).await.unwrap();
        lease = ground.claim(id, 1, at(1_000 * n + 900)).await;
    }
    ground.apply(id, completed(lease, "done"), at(5_000)).await.unwrap();
    assert_eq!(ground.attempts(id).await.len(), 5);
    assert_eq!(ground.store.remove(vec![id], 4).await, Ok(0));
    assert_eq!(ground.attempts(id).await.len(), 1);
    assert_eq!(ground.store.remove(vec![id], 4).await, Ok(1));
}
