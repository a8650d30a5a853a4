//! A way to the API that counts connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use taskfleet_worker::Settings;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Rig, localhost, settings};

/// Passes connections on to the simulated API of a rig.
pub(crate) struct CountedApi {
    connections: Arc<AtomicUsize>,
    _forwarding: JoinSet<()>,
}

impl CountedApi {
    /// The counter, and settings of a worker whose calls go through it.
    pub(crate) async fn before(rig: &Rig) -> (Self, Settings) {
        let listener = TcpListener::bind(localhost()).await.unwrap();
        let mut settings = settings();
        settings.api.base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, sim) = (Arc::clone(&connections), rig.sim);
        let mut forwarding = JoinSet::new();
        forwarding.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                open.spawn(async move {
                    let mut to = TcpStream::connect(sim).await.unwrap();
                    copy_bidirectional(&mut from, &mut to).await
                });
            }
        });
        (Self { connections, _forwarding: forwarding }, settings)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
