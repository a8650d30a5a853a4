//! Submissions while ended tasks are pruned.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Size, stats, submissions};
use crate::{
    WORKERS,
    e2e::fleet::{Fleet, until_within},
    plan,
    report::Figures,
    shape::Shape,
    throughput::run,
};

const RETENTION: &str = "TASKFLEET_SUPERVISOR__RETENTION_SECONDS";
/// Longer than any pruning here takes.
const LIMIT: Duration = Duration::from_secs(600);
/// The submissions themselves end and are kept for a second: so few tasks are left when all others
/// are gone.
const LEFT: u64 = 500;

/// The same fleet with the same ended tasks, kept for a week first and then for a second. The
/// supervisor is restarted before each.
pub(crate) async fn measure(size: Size) -> Figures {
    let mut fleet = plan(WORKERS).start().await;
    run(&fleet, Shape::Batches, size.ended).await;
    restart(&mut fleet).await;
    let without = submissions::until(&fleet, sleep(size.beside)).await;
    fleet.supervisor().set(RETENTION, "1");
    let start = Instant::now();
    restart(&mut fleet).await;
    let with = submissions::until(&fleet, pruned(&fleet)).await;
    let took = start.elapsed();
    let mut figures = Figures::new("pruning");
    figures.say(format!("{} ended tasks were pruned within {took:.1?}", size.ended));
    figures.set("ended", json!(size.ended));
    figures.set("pruned_within_seconds", json!(took.as_secs_f64()));
    submissions::compare(&mut figures, "while they are pruned", without, with);
    figures
}

async fn restart(fleet: &mut Fleet) {
    fleet.supervisor().restart().await;
    fleet.until_ready(WORKERS).await;
}

async fn pruned(fleet: &Fleet) {
    until_within(LIMIT, "the ended tasks are gone", || async {
        (stats(fleet).await.completed < LEFT).then_some(())
    })
    .await;
}
