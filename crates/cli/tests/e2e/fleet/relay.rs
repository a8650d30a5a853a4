//! A TCP relay in the test's own process: something that stands between two parties.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

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

    /// A port that is free now and refuses connections.
    pub(crate) async fn free_port() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }
}

async fn relay(mut stream: TcpStream, backend: String) {
    if let Ok(mut backend) = TcpStream::connect(backend).await {
        // Either side may hang up as it likes.
        let _ = copy_bidirectional(&mut stream, &mut backend).await;
    }
}
