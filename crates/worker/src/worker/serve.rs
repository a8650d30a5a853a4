//! What the worker serves.

use taskfleet_core::BootId;
use taskfleet_proto::{
    DESCRIPTORS, v1::worker_control_server::WorkerControlServer,
    worker::worker_service_server::WorkerServiceServer,
};
use taskfleet_runtime::{
    health::Health,
    transport::{MAX_MESSAGE_BYTES, bound_server},
};
use tonic::transport::server::Router;

use crate::{control::Control, executions::Executions, service::Processing};

/// The services whose health says whether this worker is ready.
const SERVICES: &[&str] = &["worker.WorkerService", "taskfleet.v1.WorkerControl"];

/// The gRPC services, and the health that they share.
pub(super) async fn services(boot_id: BootId, executions: &Executions) -> (Router, Health) {
    let (health, health_service) = Health::new(SERVICES).await;
    let processing = Processing::new(boot_id, executions.clone());
    let control = Control::new(boot_id, executions.clone());
    let router = bound_server()
        .add_service(
            WorkerServiceServer::new(processing)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(
            WorkerControlServer::new(control)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(health_service);
    (with_reflection(router), health)
}

/// v1alpha too: common builds of grpcurl speak only that.
fn with_reflection(mut router: Router) -> Router {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (described().build_v1(), described().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => router = router.add_service(v1).add_service(v1alpha),
        (v1, v1alpha) => {
            let error = v1.err().or(v1alpha.err());
            tracing::error!(?error, "no reflection: the descriptors cannot be read");
        }
    }
    router
}
