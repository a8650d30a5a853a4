//! What waits, what runs, what is late, and how much of each there is.

use std::time::Duration;

use taskfleet_core::{
    TaskId,
    failure::FailureKind,
    machine::Event,
    queue::{Lane, LaneRead, LaneRows},
    task::{Content, TaskRecord, TaskSpec, Work},
};
use taskfleet_store::{Counts, Running, Totals};

use crate::harness::{Ground, LONG, at, completed, content, failed, holder};

fn with_priority(priority: i32) -> TaskSpec {
    TaskSpec { priority, ..content("text") }
}

fn lane(spec: &TaskSpec) -> Lane {
    Lane::of(&spec.record(TaskId::from_bytes([0; 16]), at(0)))
}

fn whole(spec: &TaskSpec) -> LaneRead {
    LaneRead { lane: lane(spec), from: None, limit: 9, due_after: None, due_limit: 9 }
}

async fn ready(ground: &Ground, read: LaneRead, now: u64) -> LaneRows {
    ground.store.ready(vec![read], at(now)).await.unwrap().remove(0)
}

fn ids(records: &[TaskRecord]) -> Vec<TaskId> {
    records.iter().map(|record| record.id).collect()
}

pub(crate) async fn lanes_come_by_priority_then_tenant_model_and_demand(ground: &Ground) {
    let named = |tenant: &str, model: Option<&str>| {
        let model = model.map(str::to_owned);
        let work = Work::Content(Content { text: "text".into(), model, ..Content::default() });
        TaskSpec { tenant: tenant.into(), work, ..with_priority(0) }
    };
    let large = "l".repeat(2 << 20);
    let specs = [
        with_priority(100),
        with_priority(1),
        content("text"),
        content(&large),
        named("", Some("m")),
        named("a", None),
        named("a", Some("m")),
        named("b", None),
        with_priority(-100),
    ];
    for spec in specs.iter().rev().chain(&specs) {
        ground.queued(spec.clone()).await;
    }
    ground.running(with_priority(50)).await;
    let lanes: Vec<Lane> = specs.iter().map(lane).collect();
    let read = |after: Option<Lane>, limit| ground.store.lanes(after, limit);
    assert_eq!(read(None, 99).await.unwrap(), lanes);
    for (n, last) in lanes.iter().enumerate() {
        assert_eq!(
            read(Some(last.clone()), 2).await.unwrap(),
            lanes[n + 1..].iter().take(2).cloned().collect::<Vec<_>>()
        );
    }
    assert!(read(None, 0).await.unwrap().is_empty());
}

pub(crate) async fn the_tasks_of_a_lane_come_by_age(ground: &Ground) {
    let mut tasks = Vec::new();
    for priority in [0, 7, 0, 0] {
        tasks.push(ground.queued(with_priority(priority)).await);
    }
    let all = whole(&with_priority(0));
    assert_eq!(ids(&ready(ground, all.clone(), 0).await.fresh), [tasks[0], tasks[2], tasks[3]]);
    let two = LaneRead { limit: 2, ..all.clone() };
    assert_eq!(ids(&ready(ground, two.clone(), 0).await.fresh), [tasks[0], tasks[2]]);
    let next = LaneRead { from: Some(tasks[2]), ..two };
    assert_eq!(ids(&ready(ground, next, 0).await.fresh), [tasks[2], tasks[3]]);
    let none = LaneRead { limit: 0, ..all };
    assert_eq!(ready(ground, none, 0).await, LaneRows::default());
}

pub(crate) async fn a_task_is_ready_when_its_backoff_is_over(ground: &Ground) {
    let spec = content("text");
    let mut delayed = Vec::new();
    for n in 0..3 {
        let (id, lease) = ground.running(spec.clone()).await;
        ground.apply(id, failed(lease, FailureKind::ApiError, ""), at(n)).await.unwrap();
        delayed.push(ground.detail(id).await.record);
    }
    delayed.sort_by_key(|record| (record.not_before, record.id));
    let due = |n: usize| delayed[n].not_before.unwrap();
    assert!(due(0) > at(0));
    let waits = ground.queued(spec.clone()).await;
    let read = |read: LaneRead, now| async move {
        ground.store.ready(vec![read], now).await.unwrap().remove(0)
    };
    let early = read(whole(&spec), at(0)).await;
    assert_eq!((ids(&early.fresh), early.due.len()), (vec![waits], 0));
    assert_eq!(early.next_due, Some(due(0)));
    let late = read(whole(&spec), due(2)).await;
    assert_eq!((late.due, late.next_due), (delayed.clone(), None));
    let one = LaneRead { due_after: Some((due(0), delayed[0].id)), due_limit: 1, ..whole(&spec) };
    assert_eq!(read(one, due(2)).await.due, delayed[1..2]);
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

pub(crate) async fn totals_only_rise(ground: &Ground) {
    assert_eq!(ground.store.totals(), Totals::default());
    let (id, lease) = ground.running(content("text")).await;
    let happenings = [
        failed(lease, FailureKind::ApiError, ""),
        failed(lease, FailureKind::RateLimited, ""),
        Event::NotStarted { lease },
        Event::Lost { lease },
    ];
    let mut now = at(0);
    let mut lease = lease;
    for happening in happenings {
        let event = match happening {
            Event::Ended { outcome, .. } => Event::Ended { lease, outcome },
            Event::Lost { .. } => Event::Lost { lease },
            _ => Event::NotStarted { lease },
        };
        ground.apply(id, event, now).await.unwrap();
        now = now + Duration::from_secs(600);
        lease = ground.claim(id, 1, now).await;
    }
    let totals = Totals { attempts_failed: 1, worker_losses: 1, throttles: 1, requeues: 1 };
    assert_eq!(ground.store.totals(), totals);
    ground.apply(id, completed(lease, "ok"), now).await.unwrap();
    assert_eq!(ground.store.remove(vec![id], 1_000).await, Ok(1));
    assert_eq!(ground.store.totals(), totals);
}

pub(crate) async fn the_oldest_waiting_task_is_known(ground: &Ground) {
    let oldest = || ground.store.oldest_queued();
    ground.running(content("runs")).await;
    assert_eq!(oldest().await, Ok(None));
    let first = ground.queued(content("first")).await;
    ground.store.submit(vec![ground.task(content("second"))], at(50)).await.unwrap();
    assert_eq!(oldest().await, Ok(Some(at(0))));
    ground.apply(first, Event::Cancel, at(60)).await.unwrap();
    assert_eq!(oldest().await, Ok(Some(at(50))));
}
