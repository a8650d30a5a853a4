//! A task that kills whoever runs it.

use futures::future::join_all;
use taskfleet_proto::{
    v1::{AttemptEnd, SubmitTasksRequest, TaskSpec, TaskState},
    worker::FailureKind,
};

use crate::fleet::{Fleet, until};

const INNOCENT: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_kills_five_workers_ends_and_takes_no_innocent_one_along() {
    let mut fleet = Fleet::start(3).await;
    let prompt = |content: String| TaskSpec { content, ..TaskSpec::default() };
    let mut tasks = vec![prompt("poison [sim:hang]".into())];
    tasks.extend((0..INNOCENT).map(|n| prompt(format!("{n} [sim:ok,deltas=40,delay=100]"))));
    let answer = fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
    let ids: Vec<String> = answer.into_inner().tasks.into_iter().map(|task| task.task_id).collect();
    let (poison, innocent) = (&ids[0], &ids[1..]);
    until("all run at once", || async {
        (fleet.calls().await.open == INNOCENT as u64 + 1).then_some(())
    })
    .await;
    for death in 1..=5 {
        let victim = until("the poison is taken", || async {
            let task = fleet.get(poison).await;
            let taken =
                task.state() == TaskState::Running && fleet.calls().await.of_task(poison) == death;
            taken.then_some(task.worker)
        })
        .await;
        let victim = fleet.index_of(&victim);
        fleet.worker(victim).restart().await;
    }
    let task = fleet.ended(poison).await;
    assert_eq!((task.state(), task.attempts.len()), (TaskState::Failed, 5));
    assert_eq!(task.result.clone().unwrap().kind(), FailureKind::WorkerLost);
    assert!(task.attempts.iter().all(|attempt| attempt.end() == AttemptEnd::WorkerLost));
    assert_eq!(fleet.calls().await.of_task(poison), 5);

    let innocent = join_all(innocent.iter().map(|id| fleet.ended(id))).await;
    let losses = |task: &taskfleet_proto::v1::Task| task.counters.unwrap().worker_losses;
    assert!(innocent.iter().all(|task| task.state() == TaskState::Completed));
    assert!(innocent.iter().any(|task| losses(task) > 0), "they shared workers with it");
    assert!(innocent.iter().all(|task| losses(task) <= 2), "from its second death on it is alone");
}
