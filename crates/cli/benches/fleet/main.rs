//! What a fleet costs and how fast it starts, with release builds of the real processes on one
//! machine: `cargo bench -p taskfleet --bench fleet [TASKS]`.
//!
//! Everything shares the machine: the client, the supervisor, three workers and the simulated
//! API. The bare loop is measured in the same run; compare the ratio, for times of different
//! runs on a busy machine say little.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program prints figures")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails says where")]

#[expect(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../../tests/e2e"]
mod e2e {
    pub(crate) mod fleet;
}

mod arrival;
mod bare;
mod cost;

use std::time::Duration;

use taskfleet_proto::v1::{SubmitTasksRequest, Task, TaskSpec, WatchTasksRequest};
use tokio::time::Instant;

use crate::{
    arrival::Relay,
    cost::Costs,
    e2e::fleet::{Fleet, Plan},
};

/// Calls at once, in the bare loop and over the three workers.
const AT_ONCE: usize = 96;
/// Single tasks on an idle fleet.
const SINGLES: usize = 200;

#[tokio::main]
async fn main() {
    let wanted = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let tasks: usize = wanted.unwrap_or(20_000);
    let slots = (AT_ONCE / 3).to_string();
    let plan =
        Plan::new(3).sim(&["--deltas", "8"]).worker_variable("TASKFLEET_WORKER__SLOTS", &slots);
    idle_latency(plan.clone()).await;

    let mut fleet = plan.start().await;
    let sim = fleet.sim().address().to_owned();
    run(&fleet, 500).await;
    let bare = bare::loop_of(&sim, tasks, AT_ONCE).await;
    println!("bare loop of {AT_ONCE} calls at once: {bare:.0} calls/s");

    let before = Costs::of(&mut fleet);
    let took = run(&fleet, tasks).await;
    let after = Costs::of(&mut fleet);
    let rate = tasks as f64 / took.as_secs_f64();
    println!("{tasks} tasks: {rate:.0} tasks/s, {:.3} of the bare loop", rate / bare);
    after.print_since(&before, tasks);
}

/// Submits so many tasks and waits for their outcomes; how long that took.
async fn run(fleet: &Fleet, tasks: usize) -> Duration {
    let group = format!("run-{tasks}");
    let start = Instant::now();
    let mut cursor = None;
    for chunk in (0..tasks).collect::<Vec<_>>().chunks(1_000) {
        let tasks = chunk.iter().map(|n| spec(&format!("task {n}"), &group)).collect();
        let request = SubmitTasksRequest { tasks };
        let answer = fleet.tasks().submit_tasks(request).await.unwrap().into_inner();
        cursor.get_or_insert(answer.cursor);
    }
    let request = WatchTasksRequest { group, cursor: cursor.unwrap(), ..Default::default() };
    let mut feed = fleet.tasks().watch_tasks(request).await.unwrap().into_inner();
    let mut ended = 0;
    while ended < tasks {
        let event = feed.message().await.unwrap().unwrap();
        ended += usize::from(event.task.is_some());
    }
    start.elapsed()
}

/// One task after the other: from the call of SubmitTask to its answer, to the request's
/// arrival at the API, and to the outcome as the client sees it.
async fn idle_latency(plan: Plan) {
    let relay = Relay::start().await;
    let base_url = format!("http://{}/v1", relay.address);
    let mut fleet = plan.worker_variable("OPENAI_BASE_URL", &base_url).start().await;
    relay.target.send_replace(fleet.sim().address().to_owned());
    run(&fleet, 500).await;
    let mut client = fleet.tasks();
    let (mut answered, mut called, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..SINGLES {
        let request = WatchTasksRequest { group: format!("single-{n}"), ..Default::default() };
        let mut feed = client.watch_tasks(request).await.unwrap().into_inner();
        feed.message().await.unwrap();
        let start = Instant::now();
        client.submit_task(spec("single", &format!("single-{n}"))).await.unwrap();
        answered.push(start.elapsed());
        let task: Task = feed.message().await.unwrap().unwrap().task.unwrap();
        seen.push(start.elapsed());
        called.push(relay.last() - start);
        assert_eq!(task.counters.unwrap_or_default().requeues, 0);
    }
    print_quantiles("idle: SubmitTask to its answer (claimed)", answered);
    print_quantiles("idle: SubmitTask to the request at the API", called);
    print_quantiles("idle: SubmitTask to the outcome seen", seen);
}

fn print_quantiles(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |quantile: usize| times[(times.len() * quantile / 100).min(times.len() - 1)];
    println!("{what}: median {:.2?}, p99 {:.2?}", at(50), at(99));
}

fn spec(content: &str, group: &str) -> TaskSpec {
    TaskSpec { content: content.into(), group: group.into(), ..TaskSpec::default() }
}
