//! Who runs when: what a deep queue does to others, and what a task is told that waits.

use taskfleet_proto::v1::{SubmitTasksRequest, Task, TaskSpec, TaskState, WaitReason, Waiting};

use crate::fleet::{Fleet, Plan, until};

fn spec(content: &str) -> TaskSpec {
    TaskSpec { content: content.to_owned(), ..TaskSpec::default() }
}

async fn submit(fleet: &Fleet, spec: TaskSpec) -> String {
    fleet.tasks().submit_task(spec).await.unwrap().into_inner().task_id
}

async fn submit_all(fleet: &Fleet, tasks: Vec<TaskSpec>) -> Vec<String> {
    let answer = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    answer.into_inner().tasks.into_iter().map(|task| task.task_id).collect()
}

fn started(task: &Task) -> i128 {
    let at = task.started_at.as_ref().unwrap();
    i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos)
}

async fn why(fleet: &Fleet, id: &str) -> Waiting {
    fleet.get(id).await.waiting.unwrap()
}

/// Waits until the task is told this reason.
async fn until_why(fleet: &Fleet, id: &str, reason: WaitReason) -> Waiting {
    until(&format!("{id} waits for {}", reason.as_str_name()), || async {
        fleet.get(id).await.waiting.filter(|waiting| waiting.reason() == reason)
    })
    .await
}

fn one_slot() -> Plan {
    Plan::new(1).worker_variable("TASKFLEET_WORKER__SLOTS", "1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_one_tenant_delays_another_tenants_task_by_one_slot_at_most() {
    let fleet = one_slot().sim(&["--delay-ms", "30"]).start().await;
    let of = |tenant: &str| TaskSpec { tenant: tenant.to_owned(), ..spec("turn") };
    let batch = submit_all(&fleet, (0..300).map(|_| of("many")).collect()).await;
    fleet.ended(&batch[0]).await;
    let running = fleet.fleet().get_stats(taskfleet_proto::v1::GetStatsRequest {}).await;
    let ended = running.unwrap().into_inner().completed;
    let single = fleet.ended(&submit(&fleet, of("one")).await).await;
    // One may have started since they were counted, and one while this was submitted.
    let mut before = 0;
    for id in batch.iter().take(usize::try_from(ended).unwrap() + 20) {
        let task = fleet.get(id).await;
        before += u64::from(task.started_at.is_some() && started(&task) < started(&single));
    }
    assert!(before <= ended + 4, "{before} came before it, {ended} of them had ended");
    submit_cancel(&fleet, &batch).await;
}

/// Leaves nothing to be waited for.
async fn submit_cancel(fleet: &Fleet, tasks: &[String]) {
    for id in tasks {
        let request =
            taskfleet_proto::v1::CancelTaskRequest { task_id: id.clone(), ..Default::default() };
        fleet.tasks().cancel_task(request).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_nobody_serves_keep_nobody_out_also_after_a_restart() {
    let mut fleet = Plan::new(1).worker_variable("TASKFLEET_WORKER__MODELS", "small").start().await;
    let unserved = |n: usize| TaskSpec {
        model: format!("unserved-{}", n % 7),
        tenant: format!("tenant-{}", n % 3),
        priority: 100,
        ..spec("waits")
    };
    // More than the queue holds in memory.
    let mut waits = Vec::new();
    for batch in 0..3 {
        waits = submit_all(&fleet, (0..7_500).map(|n| unserved(batch + n)).collect()).await;
    }
    let told = why(&fleet, &waits[0]).await;
    assert_eq!(told.reason(), WaitReason::NoWorkerForModel);
    assert_eq!(
        told.detail,
        format!("no worker serves the model {}", fleet.get(&waits[0]).await.model)
    );
    assert_eq!(fleet.ended(&fleet.submit("runs").await).await.state(), TaskState::Completed);
    fleet.supervisor().kill();
    fleet.supervisor().restart().await;
    assert_eq!(fleet.ended(&fleet.submit("runs too").await).await.state(), TaskState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_told_precisely_what_it_waits_for() {
    let mut fleet = one_slot().start().await;
    let occupies = fleet.submit("[sim:ok,deltas=400,delay=50]").await;
    fleet.until_state(&occupies, TaskState::Running).await;
    let first = submit(&fleet, spec("next")).await;
    let told = until_why(&fleet, &first, WaitReason::NoFreeSlot).await;
    assert_eq!(told.detail, "all 1 slots of the workers that can take it (1) are in use");
    let second = submit(&fleet, spec("after it")).await;
    let told = until_why(&fleet, &second, WaitReason::NoFreeSlot).await;
    assert!(told.detail.ends_with("; others come before it"), "{}", told.detail);
    submit_cancel(&fleet, &[first, second, occupies]).await;
    fleet.worker(0).kill();
    let nobody = submit(&fleet, spec("nobody")).await;
    until_why(&fleet, &nobody, WaitReason::NoWorker).await;
    submit_cancel(&fleet, &[nobody]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_too_large_for_all_that_could_run_it_is_told_so_and_goes_to_one_that_takes_it() {
    let mut fleet = Plan::new(0).listed(1).start().await;
    let large = submit(&fleet, spec(&"x".repeat(5 << 20))).await;
    let told = until_why(&fleet, &large, WaitReason::TooLarge).await;
    let bytes = (5 << 20) + 512;
    let told_bytes = format!("its request is {bytes} bytes; the workers for it take at most");
    assert!(told.detail.starts_with(&told_bytes), "{}", told.detail);
    let request =
        TaskSpec { model: "any".into(), ..spec("needs more than the published messages") };
    let needy = submit(&fleet, request).await;
    until_why(&fleet, &needy, WaitReason::NoWorkerForFeature).await;
    fleet.add_worker().await;
    for id in [large, needy] {
        assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_stays_too_large_for_all_that_could_run_it_fails_in_words() {
    // The shortest time in which an absent worker is expected back.
    let fleet = Plan::new(0).listed(1).supervisor("START_GRACE_SECONDS", "12").start().await;
    let large = submit(&fleet, spec(&"x".repeat(5 << 20))).await;
    assert_eq!(fleet.ended(&fleet.submit("small").await).await.state(), TaskState::Completed);
    let failed = fleet.ended(&large).await;
    assert_eq!(failed.state(), TaskState::Failed);
    let result = failed.result.unwrap();
    assert_eq!(result.kind(), taskfleet_proto::worker::FailureKind::InvalidRequest);
    assert!(
        result.error.starts_with("the request is too large for every worker"),
        "{}",
        result.error
    );
    assert!(failed.attempts.is_empty(), "it was never sent");
}
