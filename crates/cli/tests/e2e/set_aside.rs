//! A worker that cannot reach the model fails fastest; it must not eat the queue.

use taskfleet_proto::v1::{SubmitTasksRequest, TaskSpec, TaskState, Worker, WorkerState};
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
        waiting.detail.contains("1 set aside (its last calls could not").then_some(())
    })
    .await;
}
