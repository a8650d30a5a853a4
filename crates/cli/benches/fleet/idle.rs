//! How long one task takes on a fleet that has nothing else to do.

use std::time::Duration;

use serde_json::json;

use crate::{
    arrival::Relay,
    e2e::fleet::Plan,
    machine,
    report::{Figures, Quantiles},
    shape::Shape,
    single,
    throughput::run,
};

/// One task after the other: from the call of `SubmitTask` to its answer, to the request's arrival
/// at the API, and to the outcome as the client sees it.
pub(crate) async fn measure(plan: Plan, singles: usize) -> Figures {
    let relay = Relay::start(Shape::MARK).await;
    let base_url = format!("http://{}/v1", relay.address);
    let mut fleet = plan.worker_variable("OPENAI_BASE_URL", &base_url).start().await;
    relay.target.send_replace(fleet.sim().address().to_owned());
    run(&fleet, Shape::Batches, 500).await;
    let sync = machine::sync_time(fleet.directory());
    let mut client = fleet.tasks();
    let (mut answered, mut called, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..singles {
        let task = Shape::Batches.task(&format!("single-{n}"));
        let single = single::submit(&mut client, &relay, task).await;
        answered.push(single.answered);
        called.push(single.called);
        seen.push(single.seen);
    }
    figures(sync, [answered, called, seen].map(Quantiles::of))
}

fn figures(sync: Duration, [answered, called, seen]: [Quantiles; 3]) -> Figures {
    let mut figures = Figures::new("idle fleet");
    figures.say(format!("one sync of the store's disk: {sync:.2?}"));
    figures.say(format!("SubmitTask to its answer: {answered}"));
    figures.say(format!(
        "SubmitTask to the request at the API: {called} (goal {:.2?}, p99 10 ms)",
        Duration::from_millis(2) + sync
    ));
    figures.say(format!(
        "SubmitTask to the outcome seen: {seen} (goal {:.2?})",
        Duration::from_millis(4) + 2 * sync
    ));
    figures.set("sync_seconds", json!(sync.as_secs_f64()));
    figures.set("answered", answered.to_json());
    figures.set("called", called.to_json());
    figures.set("seen", seen.to_json());
    figures
}
