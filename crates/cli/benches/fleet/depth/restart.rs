//! A supervisor that is killed over a deep queue and started again.

use std::time::Duration;

use tokio::time::Instant;

use super::stats;
use crate::{
    e2e::fleet::{Fleet, until},
    report::{Figures, Quantiles},
};

/// Restarts.
const TIMES: usize = 5;

pub(super) async fn measure(fleet: &mut Fleet, queued: usize, figures: &mut Figures) {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        times.push(restart(fleet).await);
        assert_eq!(stats(fleet).await.queued, queued as u64, "nothing is lost");
    }
    let times = Quantiles::of(times);
    figures.say(format!("from its start after SIGKILL until it is ready (goal 3 s): {times}"));
    figures.set("restart", times.to_json());
}

/// From the start of the process to its word that it is ready.
async fn restart(fleet: &mut Fleet) -> Duration {
    fleet.supervisor().kill();
    let start = Instant::now();
    fleet.supervisor().restart().await;
    until("the supervisor is ready", || async {
        (fleet.http("supervisor", "/readyz").await.0 == 200).then_some(())
    })
    .await;
    start.elapsed()
}
