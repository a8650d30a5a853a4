//! A TCP relay in the test's own process: something that stands between two parties.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinSet,
};

use super::loopback::own_address;

/// Relays each connection to the next of its backends, until it is dropped.
pub(crate) struct Relay {
    gates: Gates,
    _accepting: JoinSet<()>,
}

/// One gate a connection, in the order in which they were made. Nothing passes a closed one,
/// and nobody is told.
type Gates = Arc<Mutex<Vec<watch::Sender<bool>>>>;

impl Relay {
    /// Relays what connects to `listener`.
    pub(crate) fn start(listener: TcpListener, backends: Vec<String>) -> Self {
        let (mut accepting, gates) = (JoinSet::new(), Gates::default());
        let opened = gates.clone();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            for turn in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (gate, open) = watch::channel(true);
                opened.lock().unwrap().push(gate);
                connections.spawn(relay(stream, backends[turn % backends.len()].clone(), open));
            }
        });
        Self { gates, _accepting: accepting }
    }

    /// How many connections go through it now.
    pub(crate) fn connections(&self) -> usize {
        self.living().len()
    }

    /// From now on the connection carries nothing in either direction, and stays open; of
    /// those that live number `index` by age, from 0.
    pub(crate) fn stall(&self, index: usize) {
        self.living()[index].send_replace(false);
    }

    fn living(&self) -> Vec<watch::Sender<bool>> {
        let gates = self.gates.lock().unwrap();
        gates.iter().filter(|gate| gate.receiver_count() > 0).cloned().collect()
    }

    /// Where nobody listens until the test does.
    pub(crate) async fn nowhere() -> SocketAddr {
        TcpListener::bind(own_address()).await.unwrap().local_addr().unwrap()
    }
}

async fn relay(stream: TcpStream, backend: String, open: watch::Receiver<bool>) {
    if let Ok(backend) = TcpStream::connect(backend).await {
        let (from_client, to_client) = stream.into_split();
        let (from_backend, to_backend) = backend.into_split();
        // Either side may hang up as it likes; then the other is hung up on.
        tokio::select! {
            () = carry(from_client, to_backend, open.clone()) => {}
            () = carry(from_backend, to_client, open) => {}
        }
    }
}

async fn carry(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut open: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        // The relay may have been dropped: then nothing waits any more.
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
