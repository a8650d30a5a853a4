//! How fast tasks go out of a deep queue and out of a shallow one, by turns.

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::DrainWorkerRequest;
use tokio::time::{Instant, sleep};

use super::{Size, fill::fill, stats};
use crate::{
    WORKERS,
    cost::Costs,
    e2e::fleet::{Fleet, until},
    plan,
    report::{Figures, rate},
};

/// Tasks that end in each round before it is measured.
const LEAD: usize = 1_000;
/// How often it is looked how many have ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What one round showed.
struct Round {
    tasks_per_second: f64,
    /// CPU time of the supervisor.
    micros_per_task: f64,
}

/// Beside the deep queue a fleet of the same size has a shallow one, of little more than the tasks
/// of one round, which are there before the workers take any, too. The first rounds do not count.
pub(super) async fn measure(deep: &mut Fleet, size: Size, figures: &mut Figures) {
    let mut shallow = plan(0).start().await;
    staff(&mut shallow).await;
    staff(deep).await;
    let (mut from_shallow, mut from_deep) = (Vec::new(), Vec::new());
    for _ in 0..=size.rounds {
        let left = usize::try_from(stats(&shallow).await.queued).unwrap();
        fill(&shallow, (size.round + 2 * LEAD).saturating_sub(left)).await;
        from_shallow.push(round(&mut shallow, size.round).await);
        from_deep.push(round(deep, size.round).await);
    }
    let queued = stats(deep).await.queued;
    for (name, rounds) in [("shallow", &from_shallow), ("deep", &from_deep)] {
        let rates: Vec<f64> = rounds.iter().map(|round| round.tasks_per_second).collect();
        figures.set(&format!("dispatched_per_second_{name}_each_round"), json!(rates));
    }
    let [shallow, deep] = [from_shallow, from_deep].map(|rounds| Round::middle(&rounds[1..]));
    figures.say(format!(
        "dispatching, {} rounds of {} tasks by turns, medians: {} tasks/s out of a queue of {}, \
         {} out of one of that many: {:.2} (goal 0.9); the supervisor's CPU time a task {:.1} µs \
         and {:.1} µs; {queued} tasks were left",
        size.rounds,
        size.round,
        rate(deep.tasks_per_second),
        size.queued,
        rate(shallow.tasks_per_second),
        deep.tasks_per_second / shallow.tasks_per_second,
        deep.micros_per_task,
        shallow.micros_per_task,
    ));
    for (name, round) in [("shallow", shallow), ("deep", deep)] {
        figures.set(&format!("dispatched_per_second_{name}"), json!(round.tasks_per_second));
        figures.set(&format!("dispatch_cpu_micros_{name}"), json!(round.micros_per_task));
    }
}

impl Round {
    fn middle(rounds: &[Self]) -> Self {
        let median = |value: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            tasks_per_second: median(|round| round.tasks_per_second),
            micros_per_task: median(|round| round.micros_per_task),
        }
    }
}

/// Workers that take nothing yet.
async fn staff(fleet: &mut Fleet) {
    for _ in 0..WORKERS {
        fleet.add_worker().await;
    }
    fleet.until_ready(WORKERS).await;
    drain(fleet, true).await;
}

/// The workers take work until so many tasks have ended.
async fn round(fleet: &mut Fleet, tasks: usize) -> Round {
    let before = stats(fleet).await.completed;
    drain(fleet, false).await;
    let first = until_completed(fleet, before + LEAD as u64).await;
    let (start, costs) = (Instant::now(), Costs::of(fleet));
    let last = until_completed(fleet, first + tasks as u64).await;
    let took = start.elapsed();
    let done = usize::try_from(last - first).unwrap();
    let costs = Costs::of(fleet).since(&costs, done);
    drain(fleet, true).await;
    Round {
        tasks_per_second: done as f64 / took.as_secs_f64(),
        micros_per_task: costs.supervisor_micros(),
    }
}

async fn until_completed(fleet: &Fleet, tasks: u64) -> u64 {
    loop {
        let completed = stats(fleet).await.completed;
        if completed >= tasks {
            return completed;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// All workers take new work or none; then they run out of what they have.
async fn drain(fleet: &Fleet, drain: bool) {
    for index in 0..WORKERS {
        let request = DrainWorkerRequest { worker: format!("worker-{index}"), drain };
        fleet.fleet().drain_worker(request).await.unwrap();
    }
    if drain {
        until("nothing runs", || async { (stats(fleet).await.running == 0).then_some(()) }).await;
    }
}
