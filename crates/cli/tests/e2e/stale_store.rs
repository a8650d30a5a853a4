//! Two supervisors of one store, an older store or an empty one mounted by mistake, and a
//! supervisor that stays away: no paid call is repeated, and it is said loudly.

use std::time::Duration;

use taskfleet_proto::{
    v1::{
        AdoptRequest, Caller, CancelTaskRequest, GetStatsRequest, GetStatsResponse,
        ListWorkersRequest, SubmitTasksRequest, TaskSpec, TaskState, WaitReason, Worker,
        WorkerState, fleet_service_client::FleetServiceClient,
        worker_control_client::WorkerControlClient,
    },
    worker::FailureKind,
};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::fleet::{Fleet, Plan, Process, until, until_within};

/// Three seconds.
const LONG: &str = "hello [sim:ok,deltas=100,delay=30]";
/// Longer than a test.
const ENDLESS: &str = "hello [sim:hang]";

async fn until_calls(fleet: &Fleet, open: u64, total: u64) {
    until(&format!("{open} of {total} calls are open"), || async {
        let calls = fleet.calls().await;
        ((calls.open, calls.total) == (open, total)).then_some(())
    })
    .await;
}

async fn until_logged(fleet: &Fleet, name: &str, words: &str) {
    until(&format!("{name} says: {words}"), || async {
        fleet.log(name).contains(words).then_some(())
    })
    .await;
}

async fn health(of: &Process, service: &str) -> ServingStatus {
    let channel = Endpoint::from_shared(format!("http://{}", of.address())).unwrap();
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel.connect_lazy()).check(request).await;
    answer.unwrap().into_inner().status()
}

pub(crate) async fn workers_of(supervisor: &Process) -> Vec<Worker> {
    let channel = Endpoint::from_shared(format!("http://{}", supervisor.address())).unwrap();
    let mut client = FleetServiceClient::new(channel.connect_lazy());
    let answer = client.list_workers(ListWorkersRequest {}).await;
    answer.map_or_else(|_| Vec::new(), |answer| answer.into_inner().workers)
}

async fn stats(fleet: &Fleet) -> GetStatsResponse {
    fleet.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner()
}

async fn until_superseded(fleet: &Fleet) {
    until("the original knows that it is superseded", || async {
        (stats(fleet).await.superseded_by > 0).then_some(())
    })
    .await;
}

fn lines<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_original_beside_a_served_copy_stands_back_and_a_restart_gets_the_fleet_back() {
    let plan = Plan::new(2).worker_variable("TASKFLEET_WORKER__SLOTS", "2");
    let mut fleet = plan.supervisor("SWEEP_SECONDS", "1").start().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(fleet.submit(LONG).await);
    }
    until_calls(&fleet, 4, 4).await;
    let (waits, cancelled) = (fleet.submit("waits").await, fleet.submit(ENDLESS).await);
    let hurried = TaskSpec {
        content: ENDLESS.into(),
        deadline: Some(prost_types::Duration { seconds: 4, nanos: 0 }),
        ..TaskSpec::default()
    };
    let hurried = fleet.tasks().submit_task(hurried).await.unwrap().into_inner().task_id;
    fleet.back_up("copy.db").await;
    let mut copy = fleet.start_beside("copy.db").await;
    until_superseded(&fleet).await;

    let original = fleet.supervisor();
    assert_eq!(health(original, "").await, ServingStatus::NotServing);
    assert_eq!(health(original, "taskfleet.v1.TaskService").await, ServingStatus::NotServing);
    assert_eq!(health(original, "live").await, ServingStatus::Serving);
    let spec = TaskSpec { content: "more".into(), ..TaskSpec::default() };
    let refused = fleet.tasks().submit_task(spec).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("later epoch"), "{}", refused.message());
    let waiting = fleet.get(&waits).await.waiting.unwrap();
    assert_eq!(waiting.reason(), WaitReason::NoWorker);
    assert!(waiting.detail.contains("later epoch"), "{}", waiting.detail);
    assert!(fleet.workers().await.iter().all(|w| w.state() == WorkerState::NotServing));
    let request = CancelTaskRequest { task_id: cancelled.clone(), only_if_state: 0 };
    assert!(fleet.tasks().cancel_task(request).await.unwrap().into_inner().cancelled);
    let expired = fleet.ended(&hurried).await;
    assert_eq!(expired.result.unwrap().kind(), FailureKind::DeadlineExceeded);

    // The copy's supervisor sees what ran to its end, and leaves it with the workers.
    until_logged(&fleet, "beside", "older than what the fleet works on").await;
    until_calls(&fleet, 0, 4).await;
    for id in &ids {
        let task = fleet.get(id).await;
        assert_eq!(task.state(), TaskState::Running, "it stays to be adopted");
    }
    let log = fleet.log("supervisor");
    let told = lines(&log, "superseded");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("ERROR") && told[0].contains("worker-"), "{told:?}");
    copy.kill();
    fleet.supervisor().restart().await;
    ids.push(waits);
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Completed);
        let counters = task.counters.unwrap();
        assert_eq!((counters.worker_losses, counters.attempts, counters.requeues), (0, 0, 0));
    }
    let calls = fleet.calls().await;
    assert_eq!((calls.total, calls.closed_early), (5, 0), "no call was repeated or cut");
    assert_eq!(stats(&fleet).await.superseded_by, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_superseded_supervisor_neither_fights_back_nor_fails_what_it_just_handed_out() {
    let plan = Plan::new(1).supervisor("PROBE_INTERVAL_MS", "300");
    let plan = plan.supervisor("PROBE_TIMEOUT_MS", "300").supervisor("SWEEP_SECONDS", "1");
    let mut fleet = plan.start().await;
    let running = fleet.submit(LONG).await;
    until_calls(&fleet, 1, 1).await;
    fleet.back_up("copy.db").await;
    let mut copy = fleet.start_beside("copy.db").await;
    until("the copy has the worker", || async { workers_of(&copy).await.pop() }).await;
    // Whether the original knows it already or learns it by this.
    let spec = TaskSpec { content: "late".into(), ..TaskSpec::default() };
    let late = fleet.tasks().submit_task(spec).await.ok().map(|task| task.into_inner().task_id);
    until_superseded(&fleet).await;
    // The connection breaks under both: only the later epoch takes it up again.
    fleet.worker(0).stop();
    until_logged(&fleet, "supervisor", "worker lost").await;
    fleet.worker(0).cont();
    if let Some(late) = &late {
        let task = fleet.get(late).await;
        assert_eq!((task.state(), task.counters.unwrap().requeues), (TaskState::Queued, 0));
    }
    assert_eq!(fleet.get(&running).await.state(), TaskState::Running);
    assert_eq!(lines(&fleet.log("beside"), "superseded").len(), 0, "nobody fights back");
    copy.kill();
    fleet.supervisor().restart().await;
    for id in [Some(running), late].into_iter().flatten() {
        let task = fleet.ended(&id).await;
        assert_eq!(task.state(), TaskState::Completed);
        assert_eq!(task.counters.unwrap().worker_losses, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_out_to_a_worker_that_another_supervisor_has_comes_back_uncounted() {
    let mut fleet = Plan::new(1).supervisor("SWEEP_SECONDS", "1").start().await;
    let stats_before = stats(&fleet).await;
    let link = Endpoint::from_shared(format!("http://{}", fleet.worker(0).address())).unwrap();
    let caller = Caller {
        store_id: stats_before.store_id,
        supervisor_id: String::new(),
        epoch: stats_before.epoch + 1,
    };
    let adopt = AdoptRequest { caller: Some(caller), boot_id: String::new() };
    WorkerControlClient::new(link.connect_lazy()).adopt(adopt).await.unwrap();
    let tasks = (0..30).map(|n| TaskSpec { content: n.to_string(), ..TaskSpec::default() });
    let request = SubmitTasksRequest { tasks: tasks.collect() };
    let submitted = fleet.tasks().submit_tasks(request).await.unwrap().into_inner().tasks;
    until("all are back in the queue", || async {
        let now = stats(&fleet).await;
        ((now.queued, now.running, now.requeues) == (30, 0, 0)).then_some(())
    })
    .await;
    assert_eq!(stats(&fleet).await.superseded_by, stats_before.epoch + 1);
    assert_eq!(fleet.calls().await.total, 0);
    fleet.supervisor().restart().await;
    for task in submitted {
        let task = fleet.ended(&task.task_id).await;
        assert_eq!((task.state(), task.counters.unwrap().requeues), (TaskState::Completed, 0));
    }
    assert_eq!(fleet.calls().await.total, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_store_mounted_by_mistake_destroys_nothing_and_the_right_one_repeats_nothing() {
    let mut fleet = Plan::new(1).start().await;
    let queued_then = fleet.submit("first [sim:ok,deltas=100,delay=30]").await;
    fleet.back_up("older.db").await;
    let mut ids = vec![queued_then.clone()];
    for n in 0..3 {
        ids.push(fleet.submit(&format!("{n} [sim:ok,deltas=100,delay=30]")).await);
    }
    until_calls(&fleet, 4, 4).await;
    fleet.supervisor().kill();
    // Twice: what the first supervisor of the older store learned, the second knows too.
    for _ in 0..2 {
        fleet.mount("older.db");
        fleet.supervisor().restart().await;
        let worker = until("the older store's supervisor has the worker", || async {
            fleet.workers().await.pop().filter(|worker| worker.newer_held > 0)
        })
        .await;
        assert_eq!(worker.newer_held, 4, "one is known, three are not");
    }
    let new = fleet.submit("of the older store").await;
    assert_eq!(fleet.ended(&new).await.state(), TaskState::Completed);
    assert_eq!(fleet.ended(&queued_then).await.state(), TaskState::Completed);
    until_calls(&fleet, 0, 5).await;
    let log = fleet.log("supervisor");
    let told = lines(&log, "older than what the fleet works on");
    assert!(told.len() == 2 && told.iter().all(|line| line.contains("ERROR")), "{told:?}");

    fleet.mount("taskfleet.db");
    fleet.supervisor().restart().await;
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1));
    }
    assert_eq!(fleet.calls().await.total, 5, "none of the four was repeated");
    until("the right store's supervisor has settled all", || async {
        (fleet.workers().await[0].newer_held == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_store_mounted_by_mistake_works_with_the_slots_that_are_left() {
    let plan = Plan::new(1).worker_variable("TASKFLEET_WORKER__SLOTS", "2");
    let mut fleet = plan.start().await;
    let short = fleet.submit("short").await;
    fleet.ended(&short).await;
    let ids = [fleet.submit("one [sim:ok,deltas=100,delay=40]").await, fleet.submit(LONG).await];
    until_calls(&fleet, 2, 3).await;
    fleet.mount("empty.db");
    fleet.supervisor().restart().await;
    fleet.until_ready(1).await;
    // Both slots are taken: the new store's task waits without being handed back.
    let new = fleet.submit("of the empty store").await;
    let task = fleet.ended(&new).await;
    assert_eq!((task.state(), task.counters.unwrap().requeues), (TaskState::Completed, 0));
    until_calls(&fleet, 0, 4).await;
    assert_eq!(fleet.workers().await[0].foreign_held, 2);
    let log = fleet.log("supervisor");
    let told = lines(&log, "holds executions of another store");
    assert!(told.len() == 1 && told[0].contains("ERROR"), "{told:?}");

    fleet.mount("taskfleet.db");
    fleet.supervisor().restart().await;
    for id in &ids {
        let task = fleet.ended(id).await;
        assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1));
    }
    assert_eq!(fleet.calls().await.total, 4, "nothing was repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_stays_away_longer_than_every_pause_finds_all_that_was_held() {
    // Ten minutes are this and more of the same: no timer of a worker lies between its longest
    // pause, two seconds, and five minutes, after which it forgets ended leases.
    let away = Duration::from_secs(6);
    let mut fleet = Plan::new(2).supervisor("HEARTBEAT_SECONDS", "1").start().await;
    let spec = |content: &str, timeout, deadline| TaskSpec {
        content: content.to_owned(),
        attempt_timeout: Some(prost_types::Duration { seconds: timeout, nanos: 0 }),
        deadline: Some(prost_types::Duration { seconds: deadline, nanos: 0 }),
        ..TaskSpec::default()
    };
    // Ends at once, after its attempt's time and its deadline; and when the supervisor is back.
    let mut tasks = vec![spec("[sim:ok,deltas=40,delay=25]", 2, 4); 6];
    tasks.extend(vec![spec("[sim:ok,deltas=80,delay=100]", 60, 60); 2]);
    let submitted = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    until_calls(&fleet, 8, 8).await;
    fleet.supervisor().kill();
    until_calls(&fleet, 2, 8).await;
    tokio::time::sleep(away).await;
    // Longer than the sweep of deadlines waits: a worker's word goes before them.
    (0..2).for_each(|index| fleet.worker(index).stop());
    fleet.supervisor().restart().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    (0..2).for_each(|index| fleet.worker(index).cont());
    let soon = Duration::from_secs(8);
    until_within(soon, "the workers have registered again", || async {
        let workers = fleet.workers().await;
        let ready = workers.iter().filter(|worker| worker.state() == WorkerState::Ready);
        (ready.count() == 2).then_some(())
    })
    .await;
    for task in submitted.into_inner().tasks {
        let task = fleet.ended(&task.task_id).await;
        assert_eq!((task.state(), task.attempts.len()), (TaskState::Completed, 1));
    }
    assert_eq!(fleet.calls().await.total, 8, "nothing was repeated");
}
