//! A supervisor in memory: it takes tasks once by their keys, ends them when it is told to, and
//! can be stopped, started again, and made to fail. It runs nothing.

mod book;
mod fleet;
mod service;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures::stream;
use taskfleet_proto::v1::{
    fleet_service_server::FleetServiceServer, task_service_server::TaskServiceServer,
};
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use tonic::transport::Server;
use tonic_health::ServingStatus;

pub(crate) use book::Book;
use service::Service;

use crate::loopback::own_address;

/// How long its end may take.
const BOUND: Duration = Duration::from_secs(10);

/// What all calls share.
pub(crate) struct Shared {
    book: Mutex<Book>,
    changed: watch::Sender<()>,
}

/// A supervisor whose book outlives its restarts.
pub(crate) struct Supervisor {
    pub(crate) address: String,
    /// What it says of itself, from the next restart on.
    pub(crate) health: ServingStatus,
    shared: Arc<Shared>,
    serving: Option<Runtime>,
}

impl Supervisor {
    /// Starts one at an address of its own.
    pub(crate) async fn start() -> Self {
        let shared = Shared { book: Mutex::default(), changed: watch::Sender::default() };
        let address = own_address();
        let (shared, health) = (Arc::new(shared), ServingStatus::Serving);
        let mut supervisor = Self { address, health, shared, serving: None };
        supervisor.restart().await;
        supervisor
    }

    /// Breaks every connection, as a kill does; nobody listens when this returns.
    pub(crate) fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            // On a thread of its own: a runtime may not wait inside another one.
            std::thread::spawn(|| serving.shutdown_timeout(BOUND)).join().unwrap();
        }
    }

    /// Serves again, at the same address.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        let address: SocketAddr = self.address.parse().unwrap();
        // Its own runtime: what tonic spawns for each connection ends with it.
        let serving = Runtime::new().unwrap();
        let service = Service(self.shared.clone());
        let bound = serving.spawn(TcpListener::bind(address));
        let listener = bound.await.unwrap().unwrap();
        self.address = listener.local_addr().unwrap().to_string();
        let incoming = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let tasks = TaskServiceServer::new(service).max_decoding_message_size(80 << 20);
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("live", ServingStatus::Serving).await;
        reporter.set_service_status("", self.health).await;
        let router = Server::builder().add_service(tasks).add_service(health);
        let router = router.add_service(FleetServiceServer::new(fleet::Fleet(self.shared.clone())));
        serving.spawn(router.serve_with_incoming(incoming));
        self.serving = Some(serving);
    }

    /// What it knows and how it behaves. Watchers look again when it is let go.
    pub(crate) fn book(&self) -> Open<'_> {
        Open { book: self.shared.book.lock().unwrap(), changed: &self.shared.changed }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The book while somebody reads or writes in it.
pub(crate) struct Open<'a> {
    book: MutexGuard<'a, Book>,
    changed: &'a watch::Sender<()>,
}

impl std::ops::Deref for Open<'_> {
    type Target = Book;

    fn deref(&self) -> &Book {
        &self.book
    }
}

impl std::ops::DerefMut for Open<'_> {
    fn deref_mut(&mut self) -> &mut Book {
        &mut self.book
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.changed.send_replace(());
    }
}
