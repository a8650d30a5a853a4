//! What waits, what runs, what is late, and how much of each there is.

use std::time::Duration;

use taskfleet_core::{failure::FailureKind, machine::Event, task::TaskSpec};
use taskfleet_store::{Counts, Running};

use crate::harness::{Ground, LONG, at, completed, content, failed, holder};

fn with_priority(priority: i32) -> TaskSpec {
    TaskSpec { priority, ..content("text") }
}

pub(crate) async fn ready_tasks_come_by_priority_then_age(ground: &Ground) {
    let mut ids = Vec::new();
    for priority in [0, -100, 100, 0, 100] {
        ids.push(ground.queued(with_priority(priority)).await);
    }
    ground.running(with_priority(50)).await;
    let order = |limit| async move {
        let ready = ground.store.ready(at(0), limit).await.unwrap();
        ready.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(order(9).await, [ids[2], ids[4], ids[0], ids[3], ids[1]]);
    assert_eq!(order(2).await, [ids[2], ids[4]]);
    assert!(order(0).await.is_empty());
}

pub(crate) async fn a_task_is_ready_when_its_backoff_is_over(ground: &Ground) {
    let (id, lease) = ground.running(content("text")).await;
    assert!(ground.store.ready(at(0), 9).await.unwrap().is_empty());
    ground.apply(id, failed(lease, FailureKind::ApiError, ""), at(0)).await.unwrap();
    let record = ground.detail(id).await.record;
    let due = record.not_before.unwrap();
    assert!(due > at(0));
    assert!(ground.store.ready(at(0), 9).await.unwrap().is_empty());
    assert_eq!(ground.store.ready(due, 9).await.unwrap(), [record]);
}

pub(crate) async fn running_tasks_name_their_workers(ground: &Ground) {
    let (first, lease) = ground.running(content("text")).await;
    let second = ground.queued(content("text")).await;
    let second_lease = ground.claim(second, 2, at(7)).await;
    ground.queued(content("waits")).await;
    let (done, done_lease) = ground.running(content("done")).await;
    ground.apply(done, completed(done_lease, ""), at(1)).await.unwrap();
    let mut running = ground.store.running().await.unwrap();
    running.sort_by_key(|running| running.id);
    let expected = [
        Running { id: first, lease, holder: holder(1), claimed_at: at(0) },
        Running { id: second, lease: second_lease, holder: holder(2), claimed_at: at(7) },
    ];
    assert_eq!(running, expected);
}

pub(crate) async fn overdue_tasks_are_found_until_they_end(ground: &Ground) {
    let within = |seconds| TaskSpec { deadline: Duration::from_secs(seconds), ..content("text") };
    let (running, _) = ground.running(within(20)).await;
    let queued = ground.queued(within(10)).await;
    ground.queued(content("has time")).await;
    let overdue = |now, limit| async move { ground.store.overdue(at(now), limit).await.unwrap() };
    assert!(overdue(9, 9).await.is_empty());
    assert_eq!(overdue(10, 9).await, [queued]);
    assert_eq!(overdue(20, 9).await.len(), 2);
    assert_eq!(overdue(20, 1).await.len(), 1);
    ground.apply(queued, Event::Expire, at(20)).await.unwrap();
    assert_eq!(overdue(20, 9).await, [running]);
    ground.apply(running, Event::Cancel, at(20)).await.unwrap();
    assert!(overdue(20, 9).await.is_empty());
}

pub(crate) async fn counts_follow_every_change(ground: &Ground) {
    let counts = || ground.store.counts();
    let waits = ground.queued(content("12345")).await;
    let (id, lease) = ground.running(content("123")).await;
    let one_each = Counts { queued: 1, running: 1, queued_bytes: 5, ..Counts::default() };
    assert_eq!(counts(), one_each);
    ground.apply(id, Event::Lost { lease }, at(0)).await.unwrap();
    assert_eq!(counts(), Counts { queued: 2, queued_bytes: 8, ..Counts::default() });
    let lease = ground.claim(id, 1, at(0)).await;
    assert_eq!(counts(), one_each);
    assert!(ground.apply(id, Event::Expire, at(0)).await.is_err());
    assert_eq!(counts(), one_each);
    ground.apply(id, completed(lease, "ok"), at(1)).await.unwrap();
    ground.apply(waits, Event::Cancel, at(1)).await.unwrap();
    let expired = ground.queued(content("text")).await;
    ground.apply(expired, Event::Expire, at(0) + LONG).await.unwrap();
    let ended = Counts { completed: 1, failed: 1, cancelled: 1, ..Counts::default() };
    assert_eq!(counts(), ended);
}
