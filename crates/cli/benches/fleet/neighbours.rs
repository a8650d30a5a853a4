//! How soon one tenant's single task starts beside another tenant's large batch.

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::{GetStatsRequest, GetStatsResponse, HttpRequest, TaskSpec};
use tokio::time::Instant;

use crate::{
    AT_ONCE, WORKERS,
    arrival::Relay,
    e2e::fleet::Fleet,
    plan,
    report::{Figures, Quantiles, rate},
    single,
    throughput::submit_batches,
};

/// Single tasks, one after the other.
const SINGLES: usize = 100;
/// Beyond the time to the next free slot.
const GOAL: Duration = Duration::from_millis(100);
/// What only the single tasks' requests hold.
const MARK: &str = "neighbour";

/// How long each call of the batch takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Calls {
    /// 200 ms.
    Slow,
    /// Answered at once.
    Fast,
}

/// The batch is queued first; its tasks run all the time.
pub(crate) async fn measure(calls: Calls, batch: usize) -> Figures {
    let relay = Relay::start(MARK).await;
    let base_url = format!("http://{}/v1", relay.address);
    let mut fleet = plan(WORKERS).worker_variable("OPENAI_BASE_URL", &base_url).start().await;
    relay.target.send_replace(fleet.sim().address().to_owned());
    submit_batches(&fleet, &calls.batch(), batch).join_all().await;
    let before = stats(&fleet).await;
    let start = Instant::now();
    let singles = singles(&fleet, &relay).await;
    let took = start.elapsed();
    let after = stats(&fleet).await;
    assert!(after.queued > 0, "the batch was over before the single tasks");
    let others = after.completed - before.completed - SINGLES as u64;
    figures(calls, before.queued, others as f64 / took.as_secs_f64(), singles)
}

async fn singles(fleet: &Fleet, relay: &Relay) -> Vec<Duration> {
    let mut client = fleet.tasks();
    let mut called = Vec::new();
    for n in 0..SINGLES {
        let spec = task("small", &format!("single-{n}"), MARK);
        called.push(single::submit(&mut client, relay, spec).await.called);
    }
    called
}

fn figures(calls: Calls, queued: u64, per_second: f64, called: Vec<Duration>) -> Figures {
    let slot = Duration::from_secs_f64(per_second.recip());
    let called = Quantiles::of(called);
    let mut figures = Figures::new(calls.name());
    figures.say(format!(
        "{queued} tasks of another tenant queued, {} of them ending a second on {AT_ONCE} slots: \
         one becomes free every {slot:.2?} on average",
        rate(per_second)
    ));
    figures.say(format!(
        "{SINGLES} single tasks, SubmitTask to the request at the API: {called} (goal {:.2?})",
        GOAL + slot
    ));
    figures.set("queued", json!(queued));
    figures.set("ended_per_second", json!(per_second));
    figures.set("seconds_between_free_slots", json!(slot.as_secs_f64()));
    figures.set("goal_seconds", json!((GOAL + slot).as_secs_f64()));
    figures.set("called", called.to_json());
    figures
}

async fn stats(fleet: &Fleet) -> GetStatsResponse {
    fleet.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner()
}

impl Calls {
    pub(crate) const ALL: [Self; 2] = [Self::Slow, Self::Fast];

    const fn name(self) -> &'static str {
        match self {
            Self::Slow => "neighbours, calls of 200 ms",
            Self::Fast => "neighbours, calls that take no time",
        }
    }

    /// One task of the batch.
    fn batch(self) -> TaskSpec {
        match self {
            Self::Slow => task("large", "batch", "task [sim:ok,latency=200]"),
            Self::Fast => task("large", "batch", "task [sim:ok]"),
        }
    }
}

fn task(tenant: &str, group: &str, content: &str) -> TaskSpec {
    let body = json!({"model": "simulated", "messages": [{"role": "user", "content": content}]});
    let endpoint = "/v1/chat/completions".to_owned();
    let request = HttpRequest { endpoint, body: body.to_string() };
    TaskSpec {
        request: Some(request),
        tenant: tenant.into(),
        group: group.into(),
        ..TaskSpec::default()
    }
}
