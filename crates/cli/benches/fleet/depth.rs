//! What a deep queue costs: submissions, memory, lists, a restart and the rate of dispatching.

mod dispatch;
mod fill;
mod lists;
pub(crate) mod pruning;
mod restart;
pub(crate) mod submissions;
pub(crate) mod watchers;

use std::time::Duration;

use serde_json::json;
use taskfleet_proto::v1::{GetStatsRequest, GetStatsResponse};

use crate::{cost::peak_mib, e2e::fleet::Fleet, plan, report::Figures};

/// Of the supervisor, in MiB.
const GOAL_RESIDENT: f64 = 250.0;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Tasks in the queue.
    queued: usize,
    /// Ended tasks that are pruned.
    ended: usize,
    /// Tasks of one round of dispatching …
    round: usize,
    /// … and rounds, of each kind; also those with watchers and without.
    rounds: usize,
    /// How long submissions are measured without what they are measured beside.
    beside: Duration,
}

impl Size {
    pub(crate) const LONG: Self = Self {
        queued: 1_000_000,
        ended: 100_000,
        round: 20_000,
        rounds: 5,
        beside: Duration::from_secs(10),
    };
    pub(crate) const SHORT: Self = Self {
        queued: 100_000,
        ended: 20_000,
        round: 10_000,
        rounds: 3,
        beside: Duration::from_secs(4),
    };
}

/// One queue, from the first task on; workers come last.
pub(crate) async fn measure(size: Size) -> Figures {
    let mut fleet = plan(0).start().await;
    let mut figures = Figures::new("depth");
    figures.say(format!("{} queued tasks", size.queued));
    figures.set("queued", json!(size.queued));
    fill::measure(&fleet, size.queued, &mut figures).await;
    lists::measure(&fleet, size.queued, &mut figures).await;
    let filled = peak_mib(fleet.supervisor());
    restart::measure(&mut fleet, size.queued, &mut figures).await;
    dispatch::measure(&mut fleet, size, &mut figures).await;
    let after = peak_mib(fleet.supervisor());
    figures.say(format!(
        "supervisor resident at most: {filled:.0} MiB until all was submitted and listed, \
         {after:.0} MiB from its restart on (goal below {GOAL_RESIDENT:.0})"
    ));
    figures.set("resident_mib_until_restart", json!(filled));
    figures.set("resident_mib_since_restart", json!(after));
    figures.set("goal_resident_mib", json!(GOAL_RESIDENT));
    figures
}

async fn stats(fleet: &Fleet) -> GetStatsResponse {
    fleet.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner()
}
