//! `taskfleet health`, as a container's probe runs it.

use serde_json::Value;
use tonic_health::ServingStatus;

use crate::{supervisor::Supervisor, support::taskfleet};

#[tokio::test]
async fn health_ends_with_0_when_all_serves_and_with_1_when_not() {
    let mut supervisor = Supervisor::start().await;
    let address = supervisor.address.clone();
    let ran = taskfleet(&["health", "--addr", &address]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "all   serving\nlive  serving\n"));
    supervisor.health = ServingStatus::NotServing;
    supervisor.restart().await;
    let ran = taskfleet(&["health", "--address", &address, "--json"]).await;
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &said["statuses"][""]["status"]), (Some(1), &"NOT_SERVING".into()));
    let ran = taskfleet(&["health", "live", "--address", &address]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "live  serving\n"), "{ran:?}");
    let ran = taskfleet(&["health", "nobody", "--address", &address]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    supervisor.stop();
    assert_eq!(taskfleet(&["health", "--address", &address]).await.code, Some(3));
}
