//! What a clean stop does, in order, and how long each step may take.

use std::time::Duration;

pub use taskfleet_runtime::process::Stop;
use taskfleet_runtime::{health::Health, telemetry::FLUSH_WITHIN};
use tokio::time::Instant;

use crate::{
    executions::{Executions, Load},
    membership::LEAVE_WITHIN,
};

/// What all steps of stopping take together with the built-in grace: Kubernetes' default before it
/// kills. With another grace it is as much longer or shorter.
pub const SHUTDOWN_BUDGET: Duration = Duration::from_secs(30);
/// Executions may go on for so long: what remains of the budget after the other steps.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(24);
/// Supervisors settle within 50 ms and a sync; what is not settled by then is lost with us. What
/// is left of the grace comes on top: the supervisor may be restarting at the same time.
const SETTLE_WITHIN: Duration = Duration::from_secs(3);
/// Streams of health never end by themselves.
pub(crate) const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// When there is probably nobody left to settle anything.
const SETTLE_QUICKLY: Duration = Duration::from_millis(500);

const _: () = assert!(
    DEFAULT_GRACE.as_millis()
        + SETTLE_WITHIN.as_millis()
        + LEAVE_WITHIN.as_millis()
        + CLOSE_WITHIN.as_millis()
        + FLUSH_WITHIN.as_millis()
        <= SHUTDOWN_BUDGET.as_millis()
);

/// Refuses new work, lets running work end, hands back the rest, and waits until what ended is
/// settled. Each wait is bounded.
pub(crate) async fn stop(how: Stop, grace: Duration, health: &Health, executions: &Executions) {
    let (grace, settle) = match how {
        Stop::Clean => (grace, SETTLE_WITHIN),
        Stop::Quick => (Duration::ZERO, SETTLE_QUICKLY),
    };
    let asked = Instant::now();
    executions.drain();
    health.set_ready(false).await;
    until(executions, grace, |load| load.running == 0).await;
    executions.release();
    let settle = settle + grace.saturating_sub(asked.elapsed());
    until(executions, settle, |load| (load.running, load.held) == (0, 0)).await;
    let Load { running, held, .. } = *executions.load().borrow();
    if (running, held) != (0, 0) {
        tracing::warn!(running, held, "stopping with outcomes that nobody settled");
    }
}

async fn until(executions: &Executions, limit: Duration, wanted: impl FnMut(&Load) -> bool) {
    let mut load = executions.load();
    // Out of time is one of the two ways to go on.
    let _ = tokio::time::timeout(limit, load.wait_for(wanted)).await;
}
