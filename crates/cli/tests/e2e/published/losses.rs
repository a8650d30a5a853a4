//! Its connection is all that it lives by.

use std::time::Duration;

use taskfleet_proto::v1::{AttemptEnd, TaskState};
use tokio::time::Instant;

use super::until_said;
use crate::fleet::{Plan, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_ran_when_it_died_is_repeated_elsewhere_and_possibly_paid() {
    let mut fleet = Plan::new(0).listed(1).start().await;
    let id = fleet.submit("[do:work,hang]").await;
    until_said(&fleet, "published-0", "called", &id).await;
    fleet.published(0).kill();
    fleet.add_worker().await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.counters.unwrap().worker_losses), (TaskState::Completed, 1));
    let (lost, last) = (&task.attempts[0], &task.attempts[1]);
    assert_eq!((lost.end(), lost.possibly_paid), (AttemptEnd::WorkerLost, true));
    assert_eq!((last.worker.as_str(), last.end()), ("worker-0", AttemptEnd::Completed));
    assert_eq!(fleet.calls().await.of_task(&id), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_ran_when_the_supervisor_died_is_repeated_without_grace_and_possibly_paid() {
    let mut fleet = Plan::new(0).listed(1).start().await;
    let id = fleet.submit("[do:work,hang;done]").await;
    until_said(&fleet, "published-0", "called", &id).await;
    fleet.supervisor().kill();
    until_said(&fleet, "published-0", "dropped", &id).await;
    let restarted = Instant::now();
    fleet.supervisor().restart().await;
    let task = fleet.ended(&id).await;
    assert!(restarted.elapsed() < Duration::from_secs(14), "no grace for what cannot come back");
    let counters = task.counters.unwrap();
    assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 2));
    assert_eq!((counters.worker_losses, counters.attempts, counters.requeues), (0, 0, 1));
    let cut_off = &task.attempts[0];
    assert_eq!((cut_off.end(), cut_off.possibly_paid), (AttemptEnd::Requeued, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_not_waited_for_when_both_it_and_the_supervisor_are_gone() {
    let mut fleet = Plan::new(0).listed(1).start().await;
    let id = fleet.submit("[do:work,hang]").await;
    until_said(&fleet, "published-0", "called", &id).await;
    fleet.supervisor().kill();
    fleet.published(0).kill();
    let restarted = Instant::now();
    fleet.supervisor().restart().await;
    fleet.add_worker().await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    assert!(restarted.elapsed() < Duration::from_secs(14));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_is_asked_to_stop_gives_its_calls_a_moment_to_end() {
    let mut fleet = Plan::new(0).listed(1).start().await;
    let id = fleet.submit("[do:work,wait=500,done]").await;
    until_said(&fleet, "published-0", "called", &id).await;
    fleet.supervisor().terminate();
    assert!(fleet.supervisor().ended().await.success());
    fleet.supervisor().restart().await;
    let task = fleet.ended(&id).await;
    assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_is_left_and_comes_back_as_another() {
    let plan = Plan::new(0).listed(1).supervisor("PROBE_INTERVAL_MS", "200");
    let fleet = plan.supervisor("PROBE_TIMEOUT_MS", "200").start().await;
    let mut fleet = fleet;
    let before = fleet.workers().await[0].boot_id.clone();
    let id = fleet.submit("[do:work,hang;done]").await;
    until_said(&fleet, "published-0", "called", &id).await;
    fleet.published(0).stop();
    until("the task was taken from it", || async {
        let counters = fleet.get(&id).await.counters.unwrap_or_default();
        (counters.worker_losses == 1).then_some(())
    })
    .await;
    fleet.published(0).cont();
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    assert_ne!(fleet.workers().await[0].boot_id, before);
}
