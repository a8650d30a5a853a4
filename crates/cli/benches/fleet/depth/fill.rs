//! Filling the queue, and whether that becomes slower with what lies in it.

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::{SubmitTasksRequest, TaskSpec};
use tokio::time::Instant;

use crate::{
    e2e::fleet::Fleet,
    report::{Figures, rate},
    shape::Shape,
    throughput::BATCH,
};

/// Among how many the tasks are shared out evenly.
pub(super) const TENANTS: usize = 10;
pub(super) const GROUPS: usize = 100;
pub(super) const SHARDS: usize = 10;
/// The label of each task; `group-1` has those of shard 1 only, and so on.
pub(super) const LABEL: &str = "shard";

/// The rate of the first and of the last tenth of so many tasks.
pub(super) async fn measure(fleet: &Fleet, tasks: usize, figures: &mut Figures) {
    let calls = fill(fleet, tasks).await;
    let tenth = calls.len() / 10;
    let first = tasks_per_second(&calls[..tenth]);
    let last = tasks_per_second(&calls[calls.len() - tenth..]);
    figures.say(format!(
        "submission, {BATCH} in each SubmitTasks, one call after the other: {} tasks/s in the \
         first tenth, {} in the last: {:.2} of it (goal 1)",
        rate(first),
        rate(last),
        last / first
    ));
    figures.set("submitted_per_second_first_tenth", json!(first));
    figures.set("submitted_per_second_last_tenth", json!(last));
}

fn tasks_per_second(calls: &[Duration]) -> f64 {
    (calls.len() * BATCH) as f64 / calls.iter().sum::<Duration>().as_secs_f64()
}

/// Submits so many tasks, whole calls of them; how long each call took. The messages are made
/// outside of these times.
pub(super) async fn fill(fleet: &Fleet, tasks: usize) -> Vec<Duration> {
    let mut client = fleet.tasks();
    let mut calls = Vec::new();
    for first in (0..tasks).step_by(BATCH) {
        let tasks = (first..first + BATCH).map(task).collect();
        let start = Instant::now();
        client.submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
        calls.push(start.elapsed());
    }
    calls
}

fn task(number: usize) -> TaskSpec {
    let group = format!("group-{}", number % GROUPS);
    let tenant = format!("tenant-{}", number % TENANTS);
    let labels = [(LABEL.to_owned(), (number % SHARDS).to_string())].into();
    TaskSpec { tenant, labels, ..Shape::Batches.task(&group) }
}
