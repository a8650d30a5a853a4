//! A worker that cannot reach the model fails fastest; it must not eat the queue.

use taskfleet_proto::{
    v1::{SubmitTasksRequest, TaskSpec, TaskState, WaitReason, Worker, WorkerState},
    worker::FailureKind,
};
use tokio::net::TcpListener;

use crate::fleet::{Fleet, Plan, Relay, until};

const TASKS: usize = 80;
const SLOTS: usize = 4;

async fn submit_many(fleet: &Fleet) -> Vec<String> {
    let spec =
        |n| TaskSpec { content: format!("{n} [sim:ok,deltas=4,delay=10]"), ..TaskSpec::default() };
    let request = SubmitTasksRequest { tasks: (0..TASKS).map(spec).collect() };
    let answer = fleet.tasks().submit_tasks(request).await.unwrap().into_inner();
    answer.tasks.into_iter().map(|task| task.task_id).collect()
}

async fn worker(fleet: &Fleet, name: &str) -> Option<Worker> {
    fleet.workers().await.into_iter().find(|worker| worker.name == name)
}

async fn until_state(fleet: &Fleet, name: &str, state: WorkerState) -> Worker {
    until(&format!("{name} is {}", state.as_str_name()), || async {
        worker(fleet, name).await.filter(|worker| worker.state() == state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_cannot_reach_the_model_does_not_eat_the_queue_and_comes_back_when_mended() {
    let slots = SLOTS.to_string();
    let plan = Plan::new(2).worker_variable("TASKFLEET_WORKER__SLOTS", &slots);
    let mut fleet = plan.start().await;
    let nowhere = Relay::nowhere().await;
    let base_url = format!("http://{nowhere}/v1");
    let broken = fleet.add_worker_with(&[("OPENAI_BASE_URL", &base_url)]).await;
    let broken = fleet.worker(broken).name().to_owned();
    fleet.until_ready(3).await;
    let ids = submit_many(&fleet).await;
    let aside = until_state(&fleet, &broken, WorkerState::SetAside).await;
    assert!(aside.detail.contains("could not reach the model API"), "{}", aside.detail);
    let mut failed_there = 0;
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Completed);
        failed_there += task.attempts.iter().filter(|attempt| attempt.worker == broken).count();
    }
    // Five set it aside while its other slots are taken; then it gets one at a time.
    assert!((5..=5 + 3 * SLOTS).contains(&failed_there), "{failed_there} failed there");

    let listener = TcpListener::bind(nowhere).await.unwrap();
    let sim = fleet.sim().address().to_owned();
    let _mended = Relay::start(listener, vec![sim]);
    until("it gets all it has slots for again", || async {
        let ids = submit_many(&fleet).await;
        for id in &ids {
            fleet.ended(id).await;
        }
        let state = worker(&fleet, &broken).await.map(|worker| worker.state());
        (state == Some(WorkerState::Ready)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_workers_are_set_aside_tasks_wait_and_say_so() {
    let mut fleet = Plan::new(0).start().await;
    let nowhere = Relay::nowhere().await;
    let base_url = format!("http://{nowhere}/v1");
    fleet.add_worker_with(&[("OPENAI_BASE_URL", &base_url)]).await;
    fleet.until_ready(1).await;
    submit_many(&fleet).await;
    until_state(&fleet, "worker-0", WorkerState::SetAside).await;
    until("a task says why it waits", || async {
        let id = fleet.submit("waits").await;
        let waiting = fleet.get(&id).await.waiting?;
        let why = format!("could not connect to the model API at {nowhere}: Connection refused");
        let is_told = waiting.detail.contains("1 set aside (its last calls could not")
            && waiting.detail.contains(&why);
        (is_told && waiting.until.is_some()).then_some(())
    })
    .await;
    let log = fleet.log("supervisor");
    let line = log.lines().find(|line| line.contains("a worker is set aside")).unwrap();
    assert!(line.contains(&nowhere.to_string()) && line.contains("Connection refused"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_nobody_could_call_the_model_for_in_time_says_which_host_and_why() {
    let mut fleet = Plan::new(0).start().await;
    let nowhere = Relay::nowhere().await;
    let base_url = format!("http://me:pa55@{nowhere}/secret?token=hidden");
    fleet.add_worker_with(&[("OPENAI_BASE_URL", &base_url)]).await;
    fleet.until_ready(1).await;
    let deadline = Some(prost_types::Duration { seconds: 2, nanos: 0 });
    let spec = TaskSpec { content: "hello".to_owned(), deadline, ..TaskSpec::default() };
    let id = fleet.tasks().submit_task(spec).await.unwrap().into_inner().task_id;
    let task = fleet.ended(&id).await;
    assert_eq!(task.kind(), FailureKind::DeadlineExceeded);
    let why = format!("could not connect to the model API at {nowhere}: Connection refused");
    let error = &task.result.as_ref().unwrap().error;
    assert!(error.starts_with("its deadline passed; ") && error.contains(&why), "{error}");
    assert!(task.attempts[0].error.starts_with(&why), "{}", task.attempts[0].error);
    let told = format!("{task:?}{}{}", fleet.log("supervisor"), fleet.log("worker-0"));
    for hidden in ["pa55", "secret", "hidden"] {
        assert!(!told.contains(hidden), "{hidden} is shown");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_whose_only_worker_is_set_aside_is_served_by_nobody_now_for_that_reason() {
    let mut fleet = Plan::new(0).start().await;
    let nowhere = Relay::nowhere().await;
    let base_url = format!("http://{nowhere}/v1");
    let models = ("TASKFLEET_WORKER__MODELS", "asked");
    fleet.add_worker_with(&[("OPENAI_BASE_URL", &base_url), models]).await;
    fleet.add_worker_with(&[("TASKFLEET_WORKER__MODELS", "other")]).await;
    fleet.until_ready(2).await;
    let spec = |n| TaskSpec {
        content: format!("task {n}"),
        model: "asked".to_owned(),
        ..TaskSpec::default()
    };
    let request = SubmitTasksRequest { tasks: (0..10).map(spec).collect() };
    fleet.tasks().submit_tasks(request).await.unwrap();
    until_state(&fleet, "worker-0", WorkerState::SetAside).await;
    until("a task says why it waits", || async {
        let submitted = fleet.tasks().submit_task(spec(99)).await.unwrap().into_inner();
        let waiting = fleet.get(&submitted.task_id).await.waiting?;
        assert_ne!(waiting.reason(), WaitReason::NoWorkerForModel, "{}", waiting.detail);
        let is_told = waiting.detail.contains("1 set aside (its last calls could not");
        (is_told && waiting.until.is_some()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_worker_that_is_down_is_named_with_the_reason() {
    let nowhere = Relay::nowhere().await.to_string();
    let fleet = Plan::new(0).supervisor("STATIC_WORKERS", &nowhere).start().await;
    let id = fleet.submit("waits").await;
    until("it says who is down", || async {
        let waiting = fleet.get(&id).await.waiting?;
        let words = format!("worker {nowhere} is down (nobody listens at its address)");
        waiting.detail.contains(&words).then_some(())
    })
    .await;
}
