//! A TCP relay in the test's own process: something that stands between two parties.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::loopback::own_address;

/// Relays each connection to the next of its backends, until it is dropped.
pub(crate) struct Relay {
    _accepting: JoinSet<()>,
}

impl Relay {
    /// Relays what connects to `listener`.
    pub(crate) fn start(listener: TcpListener, backends: Vec<String>) -> Self {
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            for turn in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(relay(stream, backends[turn % backends.len()].clone()));
            }
        });
        Self { _accepting: accepting }
    }

    /// Where nobody listens until the test does.
    pub(crate) async fn nowhere() -> SocketAddr {
        TcpListener::bind(own_address()).await.unwrap().local_addr().unwrap()
    }
}

async fn relay(mut stream: TcpStream, backend: String) {
    if let Ok(mut backend) = TcpStream::connect(backend).await {
        // Either side may hang up as it likes.
        let _ = copy_bidirectional(&mut stream, &mut backend).await;
    }
}
