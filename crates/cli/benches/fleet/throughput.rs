//! How many tasks a second go through the fleet, and what each costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use taskfleet_proto::v1::{
    SubmitTasksRequest, TaskSpec, WatchTasksRequest, WatchTasksResponse,
    task_service_client::TaskServiceClient,
};
use tokio::{task::JoinSet, time::Instant};
use tonic::{Streaming, transport::Channel};

use crate::{
    AT_ONCE, bare,
    cost::Costs,
    e2e::fleet::{Fleet, Plan},
    report::{Figures, rate},
    shape::Shape,
};

/// Tasks in one call of `SubmitTasks`.
pub(crate) const BATCH: usize = 1_000;
/// Calls of `SubmitTasks` at once.
const SUBMITTERS: usize = 2;
/// Callers of `SubmitTask`.
const CALLERS: usize = 64;
/// Tasks that go through the fleet before anything is measured.
const WARM_UP: usize = 2_000;

/// Measures this shape on a fleet of its own, beside a bare loop.
pub(crate) async fn measure(plan: &Plan, shape: Shape, tasks: usize) -> Figures {
    let mut fleet = plan.clone().start().await;
    run(&fleet, shape, WARM_UP).await;
    let sim = fleet.sim().address().to_owned();
    let bare = bare::loop_of(&sim, shape.body(), tasks.max(20_000), AT_ONCE).await;
    let before = Costs::of(&mut fleet);
    let took = run(&fleet, shape, tasks).await;
    let costs = Costs::of(&mut fleet).since(&before, tasks);
    let reached = tasks as f64 / took.as_secs_f64();
    let mut figures = Figures::new(shape.name());
    figures.say(format!(
        "{} tasks/s (goal {}), {:.3} of a bare loop's {}; {tasks} tasks",
        rate(reached),
        rate(shape.target()),
        reached / bare,
        rate(bare),
    ));
    figures.say(costs.line());
    figures.set("tasks", json!(tasks));
    figures.set("tasks_per_second", json!(reached));
    figures.set("goal_per_second", json!(shape.target()));
    figures.set("bare_loop_per_second", json!(bare));
    figures.set("of_bare_loop", json!(reached / bare));
    figures.set("costs", costs.to_json());
    figures
}

/// Submits so many tasks and waits for their outcomes; how long that took.
pub(crate) async fn run(fleet: &Fleet, shape: Shape, tasks: usize) -> Duration {
    let group = format!("run-{tasks}");
    let feed = follow(&mut fleet.tasks(), &group).await;
    let start = Instant::now();
    let submitters = match shape {
        Shape::Batches | Shape::Content => submit_batches(fleet, &shape.task(&group), tasks),
        Shape::Singles => submit_singles(fleet, shape, &group, tasks),
    };
    until_completed(feed, tasks).await;
    let took = start.elapsed();
    submitters.join_all().await;
    took
}

/// The outcomes of this group's tasks, from now on.
pub(crate) async fn follow(
    client: &mut TaskServiceClient<Channel>,
    group: &str,
) -> Streaming<WatchTasksResponse> {
    let request = WatchTasksRequest { group: group.to_owned(), ..Default::default() };
    let mut feed = client.watch_tasks(request).await.unwrap().into_inner();
    feed.message().await.unwrap();
    feed
}

/// Waits for so many outcomes, which all are good.
pub(crate) async fn until_completed(mut feed: Streaming<WatchTasksResponse>, tasks: usize) {
    for _ in 0..tasks {
        let event = feed.message().await.unwrap().unwrap();
        let task = event.task.unwrap();
        assert!(task.result.is_some(), "a task did not complete: {:?}", task.state());
    }
}

/// Submits this task so many times.
pub(crate) fn submit_batches(fleet: &Fleet, spec: &TaskSpec, tasks: usize) -> JoinSet<()> {
    let left = Arc::new(AtomicUsize::new(tasks.div_ceil(BATCH)));
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let (mut client, spec, left) = (fleet.tasks(), spec.clone(), left.clone());
        submitters.spawn(async move {
            while let Some(number) = take(&left) {
                let tasks = vec![spec.clone(); BATCH.min(tasks - (number - 1) * BATCH)];
                client.submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
            }
        });
    }
    submitters
}

fn submit_singles(fleet: &Fleet, shape: Shape, group: &str, tasks: usize) -> JoinSet<()> {
    let left = Arc::new(AtomicUsize::new(tasks));
    let client = fleet.tasks();
    let mut submitters = JoinSet::new();
    for _ in 0..CALLERS {
        let (mut client, group, left) = (client.clone(), group.to_owned(), left.clone());
        submitters.spawn(async move {
            while take(&left).is_some() {
                client.submit_task(shape.task(&group)).await.unwrap();
            }
        });
    }
    submitters
}

/// The next one's number, down to 1; none when there are no more.
pub(crate) fn take(left: &AtomicUsize) -> Option<usize> {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()
}
