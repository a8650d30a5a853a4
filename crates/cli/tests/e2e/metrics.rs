//! What is written of the metrics, and asked of them, is true of a fleet that runs: the
//! catalogue, the alerts and the dashboard against a scrape of every process.

mod alerts;
mod catalogue;
mod queries;
mod scrape;

use taskfleet_proto::v1::{CancelTaskRequest, HttpRequest, TaskSpec, TaskState, WorkerState};

use crate::fleet::{Fleet, Plan, until};
use catalogue::Catalogue;
use queries::Query;
use scrape::Families;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_the_alerts_and_the_dashboard_know_the_metrics_as_they_are() {
    let scraped = scrape_of_all_sorts().await;
    let catalogue = Catalogue::read();
    let mut faults = catalogue.compare(&scraped);
    let alerts = alerts::read().into_iter().map(|alert| Query::parse(&alert.name, &alert.expr));
    for query in alerts.chain(queries::dashboard()) {
        faults.extend(query.check(&scraped, &catalogue));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// All metrics of a fleet to which things of each sort have happened.
async fn scrape_of_all_sorts() -> Families {
    let plan = Plan::new(2).supervisor("JOIN_TOKEN", "right");
    let mut fleet = plan.worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", "right").start().await;
    for sort in ["[sim:ok,deltas=3]", "[sim:400]", "[sim:401]", "[sim:429,ok]", "[sim:500,ok]"] {
        let id = fleet.submit(sort).await;
        fleet.ended(&id).await;
    }
    embed(&fleet).await;
    cancel_one(&fleet).await;
    lose_a_worker(&mut fleet).await;
    let refused = [("TASKFLEET_WORKER__JOIN_TOKEN", "wrong")];
    fleet.add_worker_with(&refused).await;
    until("the last worker is refused", async || {
        let (status, _) = fleet.http("worker-2", "/readyz").await;
        (status == 503).then_some(())
    })
    .await;
    let mut families = Families::default();
    for process in ["supervisor", "worker-0", "worker-1", "worker-2"] {
        let (status, text) = fleet.http(process, "/metrics").await;
        assert_eq!(status, 200, "{process}: {text}");
        families.read(&text);
    }
    families
}

async fn embed(fleet: &Fleet) {
    let body = r#"{"model": "text-embedding-3-small", "input": "hello"}"#;
    let request = HttpRequest { endpoint: "/v1/embeddings".into(), body: body.into() };
    let spec = TaskSpec { request: Some(request), ..TaskSpec::default() };
    let id = fleet.tasks().submit_task(spec).await.unwrap().into_inner().task_id;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
}

async fn cancel_one(fleet: &Fleet) {
    let task_id = fleet.submit("slow [sim:hang]").await;
    fleet.until_state(&task_id, TaskState::Running).await;
    let request = CancelTaskRequest { task_id: task_id.clone(), ..CancelTaskRequest::default() };
    fleet.tasks().cancel_task(request).await.unwrap();
    fleet.ended(&task_id).await;
}

/// Kills a worker with a task, which another one then completes, and starts it again.
async fn lose_a_worker(fleet: &mut Fleet) {
    let id = fleet.submit("lost [sim:hang,ok]").await;
    let with_it = until("a worker has it", async || {
        let busy = fleet.workers().await.into_iter().find(|worker| worker.slots_in_use > 0);
        let called = fleet.calls().await.open > 0;
        busy.filter(|worker| called && worker.state() == WorkerState::Ready)
    })
    .await;
    let index = fleet.index_of(&with_it.name);
    fleet.worker(index).kill();
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
    fleet.worker(index).restart().await;
}

#[test]
fn each_alert_is_explained_where_it_points_to_and_tried_out() {
    let (explained, tried) = (alerts::explained(), alerts::tried());
    let names: Vec<String> = alerts::read().iter().map(|alert| alert.name.clone()).collect();
    assert_eq!(explained, names, "docs/alerts.md has a heading for each, in their order");
    for alert in alerts::read() {
        let name = &alert.name;
        let to = format!("docs/alerts.md#{}", name.to_lowercase());
        assert_eq!(alert.annotations.runbook, to, "{name}");
        assert!(alert.annotations.summary.len() > 10, "{name} says in short what is wrong");
        assert!(alert.annotations.description.len() > 10, "{name} says what is wrong");
        assert!(["critical", "warning"].contains(&alert.labels.severity.as_str()), "{name}");
        assert!(tried.contains(name), "alerts.test.yml shows that {name} fires");
    }
}
