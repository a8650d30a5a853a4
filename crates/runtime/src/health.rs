//! grpc.health.v1: what a service says about itself.

pub mod probe;
mod readiness;

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health as HealthService, HealthServer},
    server::HealthReporter,
};

pub use readiness::Readiness;

/// The name under which a process says that it turns, whatever its dependencies.
pub const LIVE: &str = "live";

/// The health of one service process. The empty name and each served service say whether
/// it is ready for work; [`LIVE`] says that it turns.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    names: &'static [&'static str],
}

impl Health {
    /// Not ready, but alive; and the gRPC service that says so. `names` are the full names
    /// of the served services.
    pub async fn new(names: &'static [&'static str]) -> (Self, HealthServer<impl HealthService>) {
        let (reporter, service) = tonic_health::server::health_reporter();
        let health = Self { reporter, names };
        health.set_ready(false).await;
        health.reporter.set_service_status(LIVE, ServingStatus::Serving).await;
        (health, service)
    }

    /// Says whether the service is ready for work.
    pub async fn set_ready(&self, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in self.names.iter().copied().chain([""]) {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
