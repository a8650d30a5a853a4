//! What a run leaves behind: every task's history, and what is not at rest.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use taskfleet_core::{Lease, Timestamp};
use taskfleet_proto::v1::{
    AdoptRequest, AttemptEnd, Caller, GetStatsRequest, GetStatsResponse, GetTaskRequest,
    ListWorkersRequest, Task, WorkerState, worker_control_client::WorkerControlClient,
};
use tonic::{Status, transport::Endpoint};

use crate::{
    chaos::{
        history::{Attempt, History},
        plan::Target,
        shape::Shape,
    },
    client::Client,
    e2e::fleet::{Calls, Fleet},
    feed,
};

/// Tasks that are asked for at once.
const AT_ONCE: usize = 16;

/// The histories of all accepted tasks, joined with what the simulator counted.
pub(crate) async fn histories(
    shape: &Shape,
    client: &Client,
    ids: &BTreeMap<u32, String>,
    calls: &Calls,
) -> Vec<History> {
    let mut by_task = by_task(calls);
    let asking = ids.values().map(|id| async {
        let request = || GetTaskRequest { task_id: id.clone() };
        let answer = client.ask(|client| async move { client.tasks().get_task(request()).await });
        answer.await.unwrap().task.unwrap()
    });
    let tasks: Vec<Task> = stream::iter(asking).buffer_unordered(AT_ONCE).collect().await;
    let histories = tasks.into_iter().map(|task| {
        let calls = by_task.remove(&task.id).unwrap_or_default();
        history(shape, &task, calls)
    });
    histories.collect()
}

/// The calls of each task, by lease.
pub(crate) fn by_task(calls: &Calls) -> BTreeMap<String, BTreeMap<Lease, u32>> {
    let mut by_task = BTreeMap::<String, BTreeMap<Lease, u32>>::new();
    for (key, tally) in &calls.calls {
        let (task, lease) = key.rsplit_once('.').unwrap_or((key, "0"));
        let lease = Lease::new(lease.parse().unwrap_or_default());
        by_task.entry(task.to_owned()).or_default().insert(lease, tally.count);
    }
    by_task
}

fn history(shape: &Shape, task: &Task, calls: BTreeMap<Lease, u32>) -> History {
    let ended = task.attempts.iter().filter(|attempt| attempt.end() != AttemptEnd::Running);
    let attempts = ended.map(|attempt| Attempt {
        lease: Lease::new(attempt.lease),
        worker: worker(&attempt.worker),
        started: timestamp(attempt.started_at),
        ended: timestamp(attempt.ended_at),
        end: attempt.end(),
        possibly_paid: attempt.possibly_paid,
    });
    let mut attempts: Vec<Attempt> = attempts.collect();
    attempts.sort_by_key(|attempt| attempt.lease);
    History {
        id: task.id.clone(),
        state: task.state(),
        is_own: feed::is_own(shape, task),
        lease: Lease::new(task.lease),
        attempts,
        calls,
    }
}

fn worker(name: &str) -> Target {
    let index = name.strip_prefix("worker-").and_then(|index| index.parse().ok());
    Target::Worker(index.unwrap_or(usize::MAX))
}

fn timestamp(wire: Option<prost_types::Timestamp>) -> Timestamp {
    let wire = wire.unwrap_or_default();
    let millis = wire.seconds * 1_000 + i64::from(wire.nanos / 1_000_000);
    Timestamp::from_unix_millis(u64::try_from(millis).unwrap_or_default())
}

/// What is not at rest, in words: tasks that wait or run, slots in use, outcomes that workers
/// hold, calls that go on, workers that are not back.
pub(crate) async fn unrest(fleet: &mut Fleet, client: &Client, workers: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut note = |count: u64, what: &str| {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    };
    let stats =
        client.ask(|client| async move { client.fleet().get_stats(GetStatsRequest {}).await });
    let stats = stats.await.unwrap();
    note(stats.queued, "tasks are queued");
    note(stats.running, "tasks are running");
    note(fleet.calls().await.open, "calls are open at the simulated API");
    let known = client
        .ask(|client| async move { client.fleet().list_workers(ListWorkersRequest {}).await });
    let known = known.await.unwrap().workers;
    let ready = known.iter().filter(|worker| worker.state() == WorkerState::Ready).count();
    note(known.len().abs_diff(ready) as u64, "workers are listed and not ready");
    note(workers.abs_diff(ready) as u64, "workers too few or too many are ready");
    note(known.iter().map(|worker| u64::from(worker.slots_in_use)).sum(), "slots are in use");
    note(known.iter().map(|worker| worker.foreign_held).sum(), "outcomes are held for others");
    for index in 0..workers {
        let address = fleet.worker(index).address().to_owned();
        let held = held(&address, &stats).await;
        note(held.unwrap_or(u64::MAX), &format!("executions are held by worker-{index}"));
    }
    words
}

/// How many executions and outcomes a worker holds, by its own word: it is asked as the
/// supervisor that serves would ask it.
async fn held(address: &str, stats: &GetStatsResponse) -> Result<u64, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect().await.map_err(|error| Status::from_error(error.into()))?;
    let caller = Caller {
        store_id: stats.store_id.clone(),
        supervisor_id: String::new(),
        epoch: stats.epoch,
    };
    let request = AdoptRequest { caller: Some(caller), boot_id: String::new() };
    let answer = WorkerControlClient::new(channel).adopt(request).await?.into_inner();
    Ok(answer.held.len() as u64 + answer.foreign_held)
}
