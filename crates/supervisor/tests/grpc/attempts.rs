//! A task's history: one line for each execution, saying how it ended.

use std::time::Duration;

use taskfleet_core::{failure::FailureKind, machine::Event};
use taskfleet_proto::{
    v1::{Attempt, AttemptEnd, Task, TaskState},
    worker::{self, Delivery},
};
use taskfleet_store::Store;
use taskfleet_supervisor::Settings;

use crate::support::{History, Rig, memory};

/// The task as its client sees it.
async fn seen(make: impl AsyncFnOnce(&std::sync::Arc<dyn Store>) -> History) -> Task {
    let store = memory();
    let id = make(&store).await.id;
    let rig = Rig::start_with(store, Settings::default()).await;
    rig.get(&id.to_string()).await
}

async fn begun(store: &std::sync::Arc<dyn Store>) -> History {
    History::running(store, 1, History::spec("a")).await
}

/// What every ended execution says.
fn assert_whole(attempt: &Attempt) {
    assert!(attempt.lease > 0);
    assert_eq!(attempt.worker, "worker-1");
    assert!(!attempt.boot_id.is_empty());
    let (from, to) = (attempt.started_at.unwrap(), attempt.ended_at.unwrap());
    assert_eq!(to.seconds - from.seconds, 10);
}

fn only(task: &Task) -> &Attempt {
    assert_eq!(task.attempts.len(), 1, "{:?}", task.attempts);
    assert_whole(&task.attempts[0]);
    &task.attempts[0]
}

#[tokio::test]
async fn a_completed_execution_says_what_it_cost() {
    let task = seen(async |store| begun(store).await.then(History::completed("well")).await).await;
    let attempt = only(&task);
    assert_eq!(
        (attempt.end(), attempt.kind()),
        (AttemptEnd::Completed, worker::FailureKind::Unspecified)
    );
    assert_eq!((attempt.delivery(), attempt.http_status), (Delivery::Answered, 200));
    assert_eq!(attempt.provider_request_id, "req-200");
    assert_eq!(attempt.usage.unwrap().total_tokens, 10);
    assert!(!attempt.possibly_paid && attempt.error.is_empty());
}

#[tokio::test]
async fn a_failed_execution_says_why() {
    let failed = History::failed(FailureKind::ApiError, 500);
    let task = seen(async |store| begun(store).await.then(failed).await).await;
    assert_eq!((task.state(), task.counters.unwrap().attempts), (TaskState::Queued, 1));
    let attempt = only(&task);
    assert_eq!(
        (attempt.end(), attempt.kind()),
        (AttemptEnd::Failed, worker::FailureKind::ApiError)
    );
    assert_eq!((attempt.delivery(), attempt.http_status), (Delivery::Answered, 500));
    assert_eq!(attempt.provider_request_id, "req-500");
    assert_eq!(attempt.error, "the provider said 500");
}

#[tokio::test]
async fn a_throttled_execution_is_no_failed_one() {
    let throttled = History::failed(FailureKind::RateLimited, 429);
    let task = seen(async |store| begun(store).await.then(throttled).await).await;
    let counters = task.counters.unwrap();
    assert_eq!((counters.attempts, counters.throttles), (0, 1));
    let attempt = only(&task);
    assert_eq!(
        (attempt.end(), attempt.kind()),
        (AttemptEnd::Throttled, worker::FailureKind::RateLimited)
    );
    assert_eq!(attempt.http_status, 429);
}

#[tokio::test]
async fn an_execution_that_was_lost_with_its_worker_was_possibly_paid() {
    let lost = |lease| Event::Lost { lease };
    let task = seen(async |store| begun(store).await.then(lost).await).await;
    assert_eq!(task.counters.unwrap().worker_losses, 1);
    let attempt = only(&task);
    assert_eq!(
        (attempt.end(), attempt.kind()),
        (AttemptEnd::WorkerLost, worker::FailureKind::WorkerLost)
    );
    assert!(attempt.possibly_paid && !attempt.error.is_empty());
}

#[tokio::test]
async fn an_execution_that_was_handed_back_cost_nothing() {
    let task = seen(async |store| begun(store).await.then(History::released).await).await;
    assert_eq!(task.counters.unwrap().requeues, 1);
    let attempt = only(&task);
    assert_eq!((attempt.end(), attempt.delivery()), (AttemptEnd::Requeued, Delivery::NotSent));
    assert!(!attempt.possibly_paid);
}

#[tokio::test]
async fn a_cancelled_and_an_expired_execution_were_possibly_paid() {
    let cancelled = seen(async |store| begun(store).await.then(|_| Event::Cancel).await).await;
    let attempt = only(&cancelled);
    assert_eq!(
        (attempt.end(), attempt.kind()),
        (AttemptEnd::Cancelled, worker::FailureKind::Cancelled)
    );
    assert!(attempt.possibly_paid);

    let in_time =
        taskfleet_core::task::TaskSpec { deadline: Duration::from_secs(5), ..History::spec("a") };
    let expired =
        seen(async |store| History::running(store, 1, in_time).await.then(|_| Event::Expire).await);
    let expired = expired.await;
    assert_eq!(expired.state(), TaskState::Failed);
    let attempt = only(&expired);
    let kind = worker::FailureKind::DeadlineExceeded;
    assert_eq!((attempt.end(), attempt.kind()), (AttemptEnd::Expired, kind));
    assert!(attempt.possibly_paid);
}

#[tokio::test]
async fn a_good_outcome_that_comes_late_takes_the_place_of_the_loss() {
    let task = seen(async |store| {
        let lost = begun(store).await.then(|lease| Event::Lost { lease }).await;
        lost.then(History::completed("late, but well")).await
    });
    let task = task.await;
    assert_eq!(task.state(), TaskState::Completed);
    assert_eq!(task.result.unwrap().text, "late, but well");
    assert_eq!(task.attempts.len(), 1, "it was one execution");
    let attempt = &task.attempts[0];
    assert_eq!((attempt.end(), attempt.worker.as_str()), (AttemptEnd::Completed, "worker-1"));
    assert!(!attempt.possibly_paid);
    assert_eq!(attempt.usage.unwrap().total_tokens, 10);
}

#[tokio::test]
async fn executions_stand_in_the_order_in_which_they_were_made() {
    let task = seen(async |store| {
        let task = begun(store).await.then(History::failed(FailureKind::ApiError, 500)).await;
        let task = task.claimed_again().await.then(|lease| Event::Lost { lease }).await;
        task.claimed_again().await.then(History::completed("well")).await
    });
    let attempts = task.await.attempts;
    attempts.iter().for_each(assert_whole);
    let ends: Vec<_> = attempts.iter().map(Attempt::end).collect();
    assert_eq!(ends, [AttemptEnd::Failed, AttemptEnd::WorkerLost, AttemptEnd::Completed]);
    assert!(attempts.is_sorted_by(|a, b| a.lease < b.lease));
}
