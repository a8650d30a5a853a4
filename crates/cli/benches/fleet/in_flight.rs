//! Ten thousand streaming calls at once, on three workers.

mod most;

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::{GetStatsRequest, TaskSpec};
use tokio::time::Instant;

use self::most::Most;
use crate::{
    WORKERS,
    cost::{peak_mib, resident_mib},
    depth::submissions,
    e2e::fleet::{Fleet, Plan, Process},
    report::{Figures, Quantiles},
    throughput::{follow, submit_batches, until_completed},
};

const STREAMS: usize = 10_000;
/// Of each worker: some are left for the single tasks.
const SLOTS: &str = "4000";
/// Ten seconds: half of one to the first of 20 deltas, and half of one from each to the next.
const PROMPT: &str = "stream [sim:ok,latency=500,deltas=20,delay=500]";
const GROUP: &str = "streams";
/// For each task, in KiB.
const GOAL_RESIDENT: f64 = 80.0;

/// Streams all at once, so many times, with a `SubmitTask` every few milliseconds beside them.
pub(crate) async fn measure(waves: usize) -> Figures {
    let plan = Plan::new(WORKERS).worker_variable("TASKFLEET_WORKER__SLOTS", SLOTS);
    let mut fleet = plan.start().await;
    let mut figures = Figures::new("in flight");
    let idle = sum(&mut fleet, resident_mib);
    let (mut most, mut submitted) = (Most::of(&mut fleet), Vec::new());
    let start = Instant::now();
    for _ in 0..waves {
        submitted.extend(wave(&fleet, &mut most).await);
    }
    let took = start.elapsed();
    figures.say(format!(
        "{STREAMS} calls of 10 s with 20 deltas each, {waves} times, all complete, in {took:.1?}; at most {} at the API at once",
        most.calls
    ));
    figures.set("waves", json!(waves));
    figures.set("streams", json!(STREAMS));
    figures.set("seconds", json!(took.as_secs_f64()));
    figures.set("most_calls_at_once", json!(most.calls));
    memory(&mut fleet, idle, &mut figures);
    kept(&fleet, waves * STREAMS + submitted.len(), &mut figures).await;
    let submitted = Quantiles::of(submitted);
    figures.say(format!("SubmitTask every 10 ms beside them: {submitted} (goal p99 50 ms)"));
    figures.set("submitted", submitted.to_json());
    most.say_files(&mut figures);
    figures
}

/// How long each submission took that began while the streams ran.
async fn wave(fleet: &Fleet, most: &mut Most) -> Vec<Duration> {
    let feed = follow(&mut fleet.tasks(), GROUP).await;
    let ended = async {
        let spec = TaskSpec { content: PROMPT.into(), group: GROUP.into(), ..TaskSpec::default() };
        submit_batches(fleet, &spec, STREAMS).join_all().await;
        until_completed(feed, STREAMS).await;
    };
    tokio::select! {
        submitted = submissions::until(fleet, ended) => submitted,
        never = most.watch(fleet) => match never {},
    }
}

/// What supervisor and workers had resident at most, each at its own worst moment.
fn memory(fleet: &mut Fleet, idle: f64, figures: &mut Figures) {
    let supervisor = peak_mib(fleet.supervisor());
    let peak = sum(fleet, peak_mib);
    let kib_per_task = |mib: f64| mib * 1024.0 / STREAMS as f64;
    let (all, more) = (kib_per_task(peak), kib_per_task(peak - idle));
    figures.say(format!(
        "resident at most: supervisor {supervisor:.0} MiB, workers together {:.0} MiB: {all:.1} KiB \
         a task (goal {GOAL_RESIDENT}), {more:.1} above the {idle:.0} MiB of an idle fleet",
        peak - supervisor,
    ));
    figures.set("supervisor_peak_mib", json!(supervisor));
    figures.set("fleet_peak_mib", json!(peak));
    figures.set("fleet_idle_mib", json!(idle));
    figures.set("kib_per_task", json!(all));
    figures.set("kib_per_task_above_idle", json!(more));
    figures.set("goal_kib_per_task", json!(GOAL_RESIDENT));
}

fn sum(fleet: &mut Fleet, mib: fn(&Process) -> f64) -> f64 {
    let (supervisor, workers) = fleet.processes();
    mib(supervisor) + workers.iter().map(mib).sum::<f64>()
}

/// No worker was given up, and no call made twice or cut off.
async fn kept(fleet: &Fleet, tasks: usize, figures: &mut Figures) {
    let stats = fleet.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner();
    let calls = fleet.calls().await;
    let lost = fleet.log("supervisor").matches("worker lost").count();
    figures.say(format!(
        "{} calls for {tasks} tasks, {} cut off; workers declared dead: {lost}, tasks that one was \
         lost with: {}, ready now: {}",
        calls.total, calls.closed_early, stats.worker_losses, stats.workers_ready
    ));
    figures.set("tasks", json!(tasks));
    figures.set("calls", json!(calls.total));
    figures.set("calls_cut_off", json!(calls.closed_early));
    figures.set("workers_lost", json!(lost));
    figures.set("tasks_that_lost_a_worker", json!(stats.worker_losses));
    figures.set("workers_ready", json!(stats.workers_ready));
}
