//! What both services tell of themselves over HTTP.

use std::collections::BTreeMap;

use taskfleet_proto::v1::TaskState;

use crate::fleet::{Fleet, Plan, until};

/// The values of a scrape, by name and labels.
async fn scrape(fleet: &Fleet, process: &str) -> BTreeMap<String, f64> {
    let (status, text) = fleet.http(process, "/metrics").await;
    assert_eq!(status, 200, "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    samples.map(parse).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_to_tasks_is_counted_where_it_happened() {
    let fleet = Fleet::start(1).await;
    let prompts = ["a word", "another [sim:ok,deltas=3]", "wrong [sim:400]", "again [sim:500,ok]"];
    for prompt in prompts {
        let id = fleet.submit(prompt).await;
        fleet.ended(&id).await;
    }
    let supervisor = scrape(&fleet, "supervisor").await;
    let expected = [
        ("taskfleet_tasks_submitted_total{work=\"content\"}", 4.0),
        ("taskfleet_tasks{state=\"completed\"}", 3.0),
        ("taskfleet_tasks{state=\"queued\"}", 0.0),
        ("taskfleet_tasks_ended_total{kind=\"\",state=\"completed\"}", 3.0),
        ("taskfleet_tasks_ended_total{kind=\"invalid_request\",state=\"failed\"}", 1.0),
        ("taskfleet_executions_ended_total{end=\"failed\",kind=\"api_error\"}", 1.0),
        ("taskfleet_attempts_failed_total", 1.0),
        ("taskfleet_throttles_total", 0.0),
        ("taskfleet_queue_seconds_count", 4.0),
        ("taskfleet_start_seconds_count", 5.0),
        ("taskfleet_task_seconds_count{state=\"completed\"}", 3.0),
        ("taskfleet_queue_oldest_age_seconds", 0.0),
        ("taskfleet_workers{state=\"ready\"}", 1.0),
        ("taskfleet_slots", 64.0),
        ("taskfleet_slots_in_use", 0.0),
        ("taskfleet_ready", 1.0),
    ];
    for (series, value) in expected {
        assert_eq!(supervisor.get(series), Some(&value), "{series}: {supervisor:#?}");
    }
    let rises = ["taskfleet_store_commit_seconds_count", "process_resident_memory_bytes"];
    for series in rises.map(str::to_owned).into_iter().chain(
        ["input", "output"]
            .map(|of| format!("taskfleet_tokens_total{{model=\"simulated\",type=\"{of}\"}}")),
    ) {
        assert!(
            supervisor.get(&series).is_some_and(|value| *value > 0.0),
            "{series}: {supervisor:#?}"
        );
    }
    let worker = scrape(&fleet, "worker-0").await;
    let expected = [
        ("taskfleet_worker_calls_total{operation=\"chat\",outcome=\"completed\"}", 3.0),
        ("taskfleet_worker_calls_total{operation=\"chat\",outcome=\"invalid_request\"}", 1.0),
        ("taskfleet_worker_calls_total{operation=\"chat\",outcome=\"api_error\"}", 1.0),
        ("taskfleet_worker_call_seconds_count{operation=\"chat\"}", 5.0),
        ("taskfleet_worker_first_token_seconds_count", 3.0),
        ("taskfleet_worker_registered", 1.0),
        ("taskfleet_worker_slots", 64.0),
        ("taskfleet_worker_slots_in_use", 0.0),
        ("taskfleet_ready", 1.0),
    ];
    for (series, value) in expected {
        assert_eq!(worker.get(series), Some(&value), "{series}: {worker:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_been_paid_in_vain_is_counted_over_restarts_of_the_supervisor() {
    let mut fleet = Fleet::start(1).await;
    let id = fleet.submit("lost [sim:hang,ok]").await;
    fleet.until_state(&id, TaskState::Running).await;
    until("the call has been made", async || (fleet.calls().await.open > 0).then_some(())).await;
    fleet.worker(0).kill();
    fleet.worker(0).restart().await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    let counted = scrape(&fleet, "supervisor").await;
    let lost = "taskfleet_executions_ended_total{end=\"worker_lost\",kind=\"worker_lost\"}";
    for series in ["taskfleet_worker_losses_total", "taskfleet_possibly_paid_total", lost] {
        assert_eq!(counted.get(series), Some(&1.0), "{series}: {counted:#?}");
    }
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    let kept = scrape(&fleet, "supervisor").await;
    assert_eq!(kept["taskfleet_worker_losses_total"], 1.0, "the store keeps it");
    assert_eq!(kept["taskfleet_tasks{state=\"completed\"}"], 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_now_is_measured_when_it_is_asked_for() {
    let fleet = Plan::new(1).worker_variable("TASKFLEET_WORKER__SLOTS", "1").start().await;
    let running = fleet.submit("slow [sim:ok,deltas=600,delay=100]").await;
    fleet.until_state(&running, TaskState::Running).await;
    fleet.submit("it waits").await;
    until("the task that waits grows old", async || {
        let now = scrape(&fleet, "supervisor").await;
        let aged = now["taskfleet_queue_oldest_age_seconds"] > 0.0;
        (aged && now["taskfleet_slots_in_use"] == 1.0).then_some(())
    })
    .await;
    let now = scrape(&fleet, "supervisor").await;
    assert_eq!(now["taskfleet_tasks{state=\"queued\"}"], 1.0);
    assert_eq!(now["taskfleet_queue_bytes"], "it waits".len() as f64);
    assert_eq!(scrape(&fleet, "worker-0").await["taskfleet_worker_slots_in_use"], 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_and_why_there_is_none_are_told_to_whoever_asks() {
    let plan = Plan::new(1).variable("TASKFLEET_SUPERVISOR__JOIN_TOKEN", "one");
    let mut fleet = plan.worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", "one").start().await;
    for process in ["supervisor", "worker-0"] {
        assert_eq!(fleet.http(process, "/livez").await, (200, "live\n".to_owned()));
        assert_eq!(fleet.http(process, "/readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(fleet.http(process, "/elsewhere").await.0, 404);
    }
    fleet.supervisor().set_variable("TASKFLEET_SUPERVISOR__JOIN_TOKEN", "another");
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    let told = until("the worker tells that it is refused", async || {
        let (status, told) = fleet.http("worker-0", "/readyz").await;
        (status == 503).then_some(told)
    })
    .await;
    assert!(told.starts_with("registration: ") && told.contains("token"), "{told}");
    assert_eq!(fleet.http("worker-0", "/livez").await.0, 200, "no fault of its own");
    let worker = scrape(&fleet, "worker-0").await;
    assert_eq!(worker["taskfleet_ready"], 0.0);
    assert_eq!(worker["taskfleet_not_ready{part=\"registration\"}"], 1.0);
    assert_eq!(worker["taskfleet_worker_registered"], 0.0);
}
