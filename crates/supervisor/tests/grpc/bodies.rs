//! What large requests may take of the memory, and what they leave to others.

use taskfleet_supervisor::Settings;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{Fault, Gate, Rig, bounded, memory, prompt};

/// So many fit into one connection's share.
const FIT: usize = 9;

#[tokio::test]
async fn large_submissions_that_pile_up_are_refused_and_leave_room_for_other_clients() {
    let gate = Gate::before(memory());
    let rig = Rig::start_with(gate.clone(), Settings::default()).await;
    // As if the disk were slow: what was sent waits for it, in memory.
    gate.set(Fault::WritesHang);
    let (client, large) = (rig.tasks(), "x".repeat((8 << 20) - 1_024));
    let mut flood = JoinSet::new();
    for _ in 0..FIT + 3 {
        let (mut client, spec) = (client.clone(), prompt(&large));
        flood.spawn(async move { client.submit_task(spec).await });
    }
    for _ in 0..3 {
        let refused = bounded(flood.join_next()).await.unwrap().unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        assert!(refused.get_error_details().retry_info().is_some());
    }
    let mut another = rig.tasks();
    let small = another.submit_task(prompt("small"));
    let (small, ()) = tokio::join!(bounded(small), async { gate.set(Fault::None) });
    small.unwrap();
    while let Some(answer) = bounded(flood.join_next()).await {
        answer.unwrap().unwrap();
    }
    let mut client = client;
    client.submit_task(prompt(&large)).await.expect("there is room again");
}
