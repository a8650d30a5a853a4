//! Clocks that jump under a running supervisor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use taskfleet_proto::v1::{TaskSpec, TaskState};
use taskfleet_runtime::Clock;
use taskfleet_supervisor::Settings;

use crate::support::{Rig, bounded, memory, now, prompt};

const HOUR: i64 = 3_600_000;

/// The machine's clock, set by so many milliseconds.
fn jumping() -> (Clock, Arc<AtomicI64>) {
    let set_by = Arc::<AtomicI64>::default();
    let known = set_by.clone();
    let wall = move || {
        let set_by = known.load(Ordering::Relaxed);
        Duration::from_millis(now().unix_millis().saturating_add_signed(set_by))
    };
    (Clock::with_wall(wall), set_by)
}

async fn submit(rig: &Rig, deadline_seconds: i64) -> String {
    let deadline = Some(prost_types::Duration { seconds: deadline_seconds, nanos: 0 });
    rig.submit(TaskSpec { deadline, ..prompt("hello") }).await
}

async fn until_expired(rig: &Rig, id: &str) {
    bounded(async {
        while rig.get(id).await.state() != TaskState::Failed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_jumps_neither_expires_a_task_nor_lets_one_live_longer() {
    let (clock, set_by) = jumping();
    let rig = Rig::start_by(clock, memory(), Settings::default()).await;
    let patient = submit(&rig, 1_800).await;
    let waiting = submit(&rig, 2).await;
    for jump in [HOUR, -HOUR] {
        set_by.store(jump, Ordering::Relaxed);
        let hasty = submit(&rig, 1).await;
        assert_eq!(rig.get(&hasty).await.state(), TaskState::Queued);
        until_expired(&rig, &hasty).await;
        assert_eq!(rig.get(&patient).await.state(), TaskState::Queued);
    }
    until_expired(&rig, &waiting).await;
}
