//! Chaos on real processes: tasks go through supervisor, workers and the simulated API while
//! both are killed, stopped, cut off and restarted at random from a printed seed, and every
//! call is then accounted for: `cargo bench -p taskfleet --bench chaos -- --help`.
//!
//! The exit code is 0 when every promise held, 1 when one did not, 2 for numbers that do not
//! go together. Times are told and compared with their goals, and fail nothing: a busy machine
//! is no broken promise. docs/recovery.md says what is promised.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this program prints a table")]
#![expect(clippy::unwrap_used, reason = "a run that cannot go on says where")]

#[expect(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../../tests/e2e"]
mod e2e {
    pub(crate) mod fleet;
}

/// What is pure, and tested in `tests/chaos`.
#[path = "."]
mod chaos {
    pub(crate) mod delays;
    pub(crate) mod history;
    pub(crate) mod judge;
    pub(crate) mod kind;
    pub(crate) mod plan;
    pub(crate) mod shape;
}

mod cable;
mod client;
mod feed;
mod gather;
mod load;
mod options;
mod report;
mod strike;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::Parser;
use taskfleet_core::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    cable::Cable,
    chaos::{
        delays,
        history::{Fault, History},
        judge::{self, Broken, Judgement},
        plan,
        shape::Shape,
    },
    client::Client,
    e2e::fleet::{Fleet, Plan},
    feed::Feeds,
    load::Accepted,
    options::Options,
    report::Report,
    strike::Log,
};

/// After the last fault and the last submission everything ends within …
const ENDS_WITHIN: Duration = Duration::from_secs(90);
/// … and comes to rest within.
const RESTS_WITHIN: Duration = Duration::from_secs(15);

#[tokio::main]
async fn main() -> ExitCode {
    let shape = match Options::parse().shape() {
        Ok(shape) => shape,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    eprintln!("{}", options::command(&shape));
    if run(&shape).await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One run; whether every promise held.
async fn run(shape: &Shape) -> bool {
    let (mut fleet, mut cables) = start(shape).await;
    let client = Client::new(fleet.supervisor().address());
    let driven = drive(shape, &mut fleet, &mut cables, &client).await;
    let (tasks, judgement) = account(shape, &fleet, &client, &driven).await;
    let delays = delays::measure(&tasks, &driven.faults);
    Report { shape, driven: &driven, tasks: &tasks, judgement: &judgement, delays: &delays }
        .print();
    let held = judgement.broken.is_empty();
    if !held {
        keep_logs(&fleet, shape);
    }
    held
}

/// What is known when everything is at rest again.
pub(crate) struct Driven {
    /// When it began.
    pub(crate) began: Timestamp,
    /// The accepted tasks by their numbers.
    ids: BTreeMap<u32, String>,
    /// Submissions that had to be asked again.
    pub(crate) asked_again: u32,
    /// In the order in which they struck.
    pub(crate) faults: Vec<Fault>,
    /// What clients were refused, what the feeds did wrong, what did not come to rest.
    broken: Vec<Broken>,
}

/// Submits, watches and strikes, and waits until everything has ended.
async fn drive(shape: &Shape, fleet: &mut Fleet, cables: &mut [Cable], client: &Client) -> Driven {
    let feeds = Feeds::begin(shape, client).await;
    let (accepted, log, plan) = (Accepted::default(), Log::starting(), plan::faults(shape));
    let (supervisor, workers) = fleet.processes();
    let (refused, ()) = tokio::join!(
        load::submit(shape, client, &accepted),
        strike::all(&plan, supervisor, workers, cables, &log)
    );
    let ids = accepted.ids();
    // What is missing then is told by what is found.
    let _ = timeout(ENDS_WITHIN, feeds.complete(&ids)).await;
    let unrest = rest(fleet, client, shape.workers).await;
    let of_run = refused.into_iter().chain(unrest).map(of_run);
    let of_feeds = feeds.wrong(&ids).map(|(id, words)| Broken { task: Some(id), words });
    Driven {
        began: log.began,
        asked_again: accepted.asked_again(),
        broken: of_run.chain(of_feeds).collect(),
        faults: log.into_faults(),
        ids,
    }
}

/// Asks for every task and every call, and judges them.
async fn account(
    shape: &Shape,
    fleet: &Fleet,
    client: &Client,
    driven: &Driven,
) -> (Vec<History>, Judgement) {
    let calls = fleet.calls().await;
    let tasks = gather::histories(shape, client, &driven.ids, &calls).await;
    let mut judgement = judge::judge(&tasks, &driven.faults);
    judgement.broken.extend(driven.broken.iter().cloned());
    judgement.broken.extend(unknown_calls(&calls, &driven.ids));
    (tasks, judgement)
}

/// A fleet whose workers and supervisor reach each other by cables of ours only.
async fn start(shape: &Shape) -> (Fleet, Vec<Cable>) {
    let slots = shape.slots.to_string();
    let plan = Plan::new(0).worker_variable("TASKFLEET_WORKER__SLOTS", &slots);
    let mut fleet = plan.start().await;
    let supervisor = fleet.supervisor().address().to_owned();
    let mut cables = Vec::new();
    for index in 0..shape.workers {
        let cable = Cable::new(&supervisor);
        let (to_worker, to_supervisor) =
            (cable.to_worker.address.to_string(), cable.to_supervisor.address.to_string());
        let grace = if plan::hands_back(index) { "0" } else { "24" };
        let variables = [
            ("TASKFLEET_WORKER__ADVERTISE", to_worker.as_str()),
            ("TASKFLEET_WORKER__SUPERVISOR", to_supervisor.as_str()),
            ("TASKFLEET_WORKER__SHUTDOWN_GRACE_SECONDS", grace),
        ];
        fleet.add_worker_with(&variables).await;
        cable.to_worker.leads_to(fleet.worker(index).address());
        cables.push(cable);
    }
    fleet.until_ready(shape.workers).await;
    (fleet, cables)
}

/// Waits until everything is at rest; what is not in the end, in words.
async fn rest(fleet: &mut Fleet, client: &Client, workers: usize) -> Vec<String> {
    let deadline = Instant::now() + RESTS_WITHIN;
    loop {
        let unrest = gather::unrest(fleet, client, workers).await;
        if unrest.is_empty() || Instant::now() > deadline {
            return unrest;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Calls for tasks that nobody was told of.
fn unknown_calls(calls: &e2e::fleet::Calls, ids: &BTreeMap<u32, String>) -> Vec<Broken> {
    let mut by_task = gather::by_task(calls);
    for id in ids.values() {
        by_task.remove(id);
    }
    by_task
        .into_keys()
        .map(|id| of_run(format!("calls were made for {id}, which is no task")))
        .collect()
}

fn of_run(words: String) -> Broken {
    Broken { task: None, words }
}

/// The logs of a run that failed outlive its directory.
fn keep_logs(fleet: &Fleet, shape: &Shape) {
    let kept =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}", shape.seed));
    std::fs::create_dir_all(&kept).unwrap();
    for entry in std::fs::read_dir(fleet.directory()).unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            std::fs::copy(entry.path(), kept.join(entry.file_name())).unwrap();
        }
    }
    println!("logs: {}", kept.display());
}
