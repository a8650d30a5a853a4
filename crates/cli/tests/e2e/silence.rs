//! Workers that hang, are slow, or cannot be heard on one of their connections.

use std::time::Duration;

use futures::future::join_all;
use taskfleet_proto::v1::{
    AttemptEnd, CancelTaskRequest, GetStatsRequest, SubmitTasksRequest, Task, TaskSpec, TaskState,
};
use tokio::{net::TcpListener, time::sleep};

use crate::fleet::{Fleet, Plan, Relay, until};

/// Gives a silent worker up after two seconds: more than one needs on a busy machine.
fn impatient(workers: usize) -> Plan {
    let plan = Plan::new(workers).supervisor("PROBE_INTERVAL_MS", "500");
    let plan = plan.supervisor("PROBE_TIMEOUT_MS", "400").supervisor("PROBE_MISSES", "4");
    plan.supervisor("HEARTBEAT_SECONDS", "1")
}

async fn submit(fleet: &Fleet, count: usize, marker: &str) -> Vec<String> {
    let spec = |n| TaskSpec { content: format!("{n} {marker}"), ..TaskSpec::default() };
    let tasks = (0..count).map(spec).collect();
    let answer = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    answer.into_inner().tasks.into_iter().map(|task| task.task_id).collect()
}

async fn until_open(fleet: &Fleet, calls: u64) {
    until("the calls are open", || async { (fleet.calls().await.open == calls).then_some(()) })
        .await;
}

async fn until_told(fleet: &Fleet, words: &str) {
    until("the supervisor says so", || async {
        fleet.log("supervisor").contains(words).then_some(())
    })
    .await;
}

fn assert_undisturbed(task: &Task) {
    let counters = task.counters.unwrap_or_default();
    assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1), "{task:?}");
    assert_eq!((counters.worker_losses, counters.requeues), (0, 0));
}

fn assert_nobody_was_given_up(fleet: &Fleet) {
    let log = fleet.log("supervisor");
    assert!(!log.contains("worker lost"), "{log}");
}

/// Its call has ended and its outcome waits in a socket when it wakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_brings_that_wakes_too_late_changes_nothing_and_it_serves_again() {
    let mut fleet = impatient(2).start().await;
    let ids = submit(&fleet, 4, "[sim:ok,latency=1000]").await;
    until_open(&fleet, 4).await;
    let hung = fleet.index_of(&fleet.get(&ids[0]).await.worker);
    fleet.worker(hung).stop();
    let ended = join_all(ids.iter().map(|id| fleet.ended(id))).await;
    let repeated = ended.iter().filter(|task| task.attempts.len() == 2).count() as u64;
    assert!(repeated > 0, "it had some of them");
    fleet.worker(hung).cont();
    until("its late outcomes were refused", || async {
        // Those it reports on a connection that is gone are settled as stale by Adopt.
        let stats = fleet.fleet().get_stats(GetStatsRequest {}).await.ok()?.into_inner();
        (stats.workers_ready == 2 && stats.slots_in_use == 0).then_some(())
    })
    .await;
    for before in &ended {
        let after = fleet.get(&before.id).await;
        assert_eq!(after.state(), TaskState::Completed);
        assert_eq!(after.attempts, before.attempts);
        assert!(after.attempts.len() == 1 || after.attempts[0].end() == AttemptEnd::WorkerLost);
    }
    assert_eq!(fleet.calls().await.total, 4 + repeated, "nothing was called again");
    let again = submit(&fleet, 8, "again").await;
    let again = join_all(again.iter().map(|id| fleet.ended(id))).await;
    again.iter().for_each(assert_undisturbed);
    let name = fleet.worker(hung).name().to_owned();
    assert!(again.iter().any(|task| task.attempts[0].worker == name), "it serves again");
}

/// All its slots are busy, and it gets its CPU for a tenth of the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_slow_but_alive_is_never_given_up() {
    let plan = impatient(1).worker_variable("TASKFLEET_WORKER__SLOTS", "4");
    let mut fleet = plan.start().await;
    let ids = submit(&fleet, 6, "[sim:ok,deltas=20,delay=100]").await;
    until_open(&fleet, 4).await;
    let mut turns = 0;
    while fleet.calls().await.total < 6 || fleet.calls().await.open > 0 || turns < 8 {
        fleet.worker(0).stop();
        // Not to wait for anything: being slow is what is tested.
        sleep(Duration::from_millis(600)).await;
        fleet.worker(0).cont();
        sleep(Duration::from_millis(60)).await;
        turns += 1;
    }
    for id in &ids {
        assert_undisturbed(&fleet.ended(id).await);
    }
    assert_eq!(fleet.calls().await.total, 6);
    assert_nobody_was_given_up(&fleet);
}

/// A worker behind a relay: the oldest connection is the one for its work, the other one is for
/// probes.
async fn behind_a_relay(plan: Plan) -> (Fleet, Relay) {
    let mut fleet = plan.start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let advertised = listener.local_addr().unwrap().to_string();
    let worker = fleet.add_worker_with(&[("TASKFLEET_WORKER__ADVERTISE", &advertised)]).await;
    let relay = Relay::start(listener, vec![fleet.worker(worker).address().to_owned()]);
    fleet.until_ready(1).await;
    until("the connections to look around are closed", || async {
        (relay.connections() == 2).then_some(())
    })
    .await;
    (fleet, relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_no_probe_reaches_lives_as_long_as_it_is_heard() {
    let (fleet, relay) = behind_a_relay(impatient(0)).await;
    let id = fleet.submit("hello [sim:ok,deltas=40,delay=100]").await;
    until_open(&fleet, 1).await;
    let ended = fleet.ended(&id);
    let stalling = async {
        loop {
            // Each further connection for probes, too.
            (1..relay.connections()).for_each(|probe| relay.stall(probe));
            sleep(Duration::from_millis(5)).await;
        }
    };
    let task = tokio::select! {
        task = ended => task,
        () = stalling => unreachable!(),
    };
    assert_undisturbed(&task);
    assert!(relay.connections() > 4, "probes were tried on new connections");
    assert_eq!(fleet.calls().await.total, 1);
    assert_nobody_was_given_up(&fleet);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_for_work_that_carries_nothing_is_made_anew_and_costs_no_call() {
    let (fleet, relay) = behind_a_relay(impatient(0)).await;
    let running = submit(&fleet, 3, "[sim:ok,latency=500]").await;
    let hanging = fleet.submit("hello [sim:hang]").await;
    until_open(&fleet, 4).await;
    relay.stall(0);
    let later = fleet.submit("later").await;
    until_told(&fleet, "a worker's connection broke, dialling it").await;
    for id in &running {
        assert_undisturbed(&fleet.ended(id).await);
    }
    let later = fleet.ended(&later).await;
    let counters = later.counters.unwrap();
    assert_eq!(later.state(), TaskState::Completed);
    assert_eq!((counters.worker_losses, counters.attempts), (0, 0), "it was never on its way");
    // Orders reach it, too.
    let request = CancelTaskRequest { task_id: hanging, ..CancelTaskRequest::default() };
    fleet.tasks().cancel_task(request).await.unwrap();
    until("the call was closed", || async {
        (fleet.calls().await.closed_early == 1).then_some(())
    })
    .await;
    assert_eq!(fleet.calls().await.total, 5);
    assert_nobody_was_given_up(&fleet);
}

const BRAKE: &str = "much of the fleet is silent, waiting one round more";

/// Four workers with a long call each; two of them are stopped.
async fn with_half_of_four_silent() -> (Fleet, Vec<String>) {
    let plan = impatient(4).worker_variable("TASKFLEET_WORKER__SLOTS", "1");
    let mut fleet = plan.start().await;
    let ids = submit(&fleet, 4, "[sim:ok,deltas=60,delay=100]").await;
    until_open(&fleet, 4).await;
    (0..2).for_each(|index| fleet.worker(index).stop());
    (fleet, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_half_the_fleet_falls_silent_at_once_its_work_is_not_given_away_too_soon() {
    let (mut fleet, ids) = with_half_of_four_silent().await;
    // Without the brake this is the moment in which they would be given up.
    until_told(&fleet, BRAKE).await;
    (0..2).for_each(|index| fleet.worker(index).cont());
    for id in &ids {
        assert_undisturbed(&fleet.ended(id).await);
    }
    assert_eq!(fleet.calls().await.total, 4, "nothing was paid for twice");
    assert_nobody_was_given_up(&fleet);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_fleet_that_stays_silent_is_given_up_after_two_rounds_more() {
    let (mut fleet, ids) = with_half_of_four_silent().await;
    for id in &ids {
        let task = fleet.ended(id).await;
        let losses = task.counters.unwrap().worker_losses;
        assert_eq!(task.state(), TaskState::Completed);
        assert!(losses <= 1, "{task:?}");
        assert_eq!(task.attempts.len(), 1 + usize::from(losses == 1));
    }
    let log = fleet.log("supervisor");
    let rounds = log.lines().filter(|line| line.contains(BRAKE)).count();
    assert!((1..=4).contains(&rounds), "{rounds} rounds of two workers\n{log}");
    assert_eq!(log.matches("worker lost").count(), 2, "{log}");
    (0..2).for_each(|index| fleet.worker(index).cont());
    fleet.until_ready(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_of_four_that_hangs_is_given_up_at_once() {
    let mut fleet = impatient(4).start().await;
    fleet.worker(0).stop();
    until_told(&fleet, "worker lost").await;
    assert!(!fleet.log("supervisor").contains(BRAKE));
    fleet.worker(0).cont();
    fleet.until_ready(4).await;
}
