//! Ten thousand streams, and a supervisor that stands still under them.

use std::time::Duration;

use taskfleet_proto::v1::{GetStatsRequest, GetStatsResponse, SubmitTasksRequest, TaskSpec};

use crate::fleet::{Fleet, Plan, until_within};

const STREAMS: u64 = 10_000;

/// A stopped process's sockets fill: with small windows HTTP/2 would close the connection,
/// and with it thousands of streams; with ordinary timeouts the supervisor would wake up,
/// find them all over, and give up every worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_survive_a_supervisor_that_stands_still() {
    let plan = Plan::new(3).worker_variable("TASKFLEET_WORKER__SLOTS", "4000");
    let mut fleet = plan.start().await;
    submit(&fleet, STREAMS).await;
    until_within(LIMIT, "all are handed out", || async {
        (stats(&fleet).await?.queued == 0).then_some(())
    })
    .await;
    until_within(LIMIT, "all calls were made", || async {
        (fleet.calls().await.total == STREAMS).then_some(())
    })
    .await;
    for pause in [2, 5] {
        fleet.supervisor().stop();
        // Not to wait for anything: standing still is what is tested.
        tokio::time::sleep(Duration::from_secs(pause)).await;
        fleet.supervisor().cont();
    }
    let stats = until_within(LIMIT, "every task has ended", || async {
        let stats = stats(&fleet).await?;
        (stats.completed + stats.failed == STREAMS).then_some(stats)
    })
    .await;
    assert_eq!((stats.completed, stats.stale_results), (STREAMS, 0));
    assert_eq!(fleet.workers().await.len(), 3, "no worker was given up");
    let calls = fleet.calls().await;
    assert_eq!((calls.total, calls.closed_early), (STREAMS, 0), "no call was repeated or cut");
    let log = fleet.log("supervisor");
    assert!(!log.contains("worker lost") && !log.contains("connection broke"), "{log}");
}

/// The streams last twenty-two seconds, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(180);

async fn submit(fleet: &Fleet, count: u64) {
    let spec = |n| TaskSpec {
        content: format!("stream {n} [sim:ok,deltas=22,delay=1000]"),
        ..TaskSpec::default()
    };
    let tasks = (0..count).map(spec).collect();
    fleet.tasks().submit_tasks(SubmitTasksRequest { tasks }).await.unwrap();
}

async fn stats(fleet: &Fleet) -> Option<GetStatsResponse> {
    let answer = fleet.fleet().get_stats(GetStatsRequest {}).await;
    answer.ok().map(tonic::Response::into_inner)
}
