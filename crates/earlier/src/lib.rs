//! A worker as one was built from the first commit of the wire, for tests: compiled from a frozen
//! copy of its .proto files, with none of taskfleet's own code. It knows leases, and nothing that
//! was added since; supervisors of today have to get on with it while an upgrade rolls out.

#[expect(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated from the wire's first commit"
)]
pub mod wire {
    /// Package `worker`.
    pub mod worker {
        tonic::include_proto!("worker");
    }
    /// Package `taskfleet.v1`.
    pub mod v1 {
        tonic::include_proto!("taskfleet.v1");
    }
}

mod control;
mod executions;
mod membership;
mod processing;

use std::{io, net::Ipv4Addr, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use executions::Executions;
use wire::{
    v1::worker_control_server::WorkerControlServer,
    worker::worker_service_server::WorkerServiceServer,
};

/// The id of the one process that this worker is.
const BOOT_ID: &str = "5f0c9b52-6f5c-4f0e-9d43-0b6f6f1f4a11";

/// A worker that writes slowly: two seconds a task. It serves until it is dropped.
#[derive(Debug)]
pub struct Worker {
    executions: Arc<Executions>,
    _serving: JoinSet<()>,
}

impl Worker {
    /// Serves, and is registered with the supervisor at `supervisor` (host:port) for ever.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(supervisor: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?.to_string();
        let executions = Arc::<Executions>::default();
        let router = Server::builder()
            .add_service(WorkerServiceServer::new(processing::Service(executions.clone())))
            .add_service(WorkerControlServer::new(control::Service(executions.clone())));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Ends with the test.
            let _ = router.serve_with_incoming(TcpListenerStream::new(listener)).await;
        });
        serving.spawn(membership::keep(supervisor.to_owned(), address));
        Ok(Self { executions, _serving: serving })
    }

    /// How many executions have begun.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.executions.begun()
    }

    /// How many outcomes nobody has settled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.executions.held().len()
    }
}
