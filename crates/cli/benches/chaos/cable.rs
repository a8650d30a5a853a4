//! What lies between one worker and the supervisor, both ways: it can break, stall or end at a
//! port where nobody listens.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// Connections that wait to be taken.
const BACKLOG: u32 = 1_024;

/// Both ways between one worker and the supervisor.
pub(crate) struct Cable {
    pub(crate) to_worker: Relay,
    pub(crate) to_supervisor: Relay,
}

impl Cable {
    /// A cable that leads to the supervisor, and nowhere yet at the worker's end.
    pub(crate) fn new(supervisor: &str) -> Self {
        let (to_worker, to_supervisor) = (Relay::new(), Relay::new());
        to_supervisor.leads_to(supervisor);
        Self { to_worker, to_supervisor }
    }

    /// Breaks every connection; new ones come to nothing until [`Cable::mend`].
    pub(crate) fn cut(&self) {
        self.to_worker.way.send_replace(Way::Cut);
        self.cut_towards_supervisor();
    }

    /// As [`Cable::cut`], one way only.
    pub(crate) fn cut_towards_supervisor(&self) {
        self.to_supervisor.way.send_replace(Way::Cut);
    }

    /// Breaks every connection; new ones work.
    pub(crate) fn mend(&self) {
        self.to_worker.way.send_replace(Way::Open);
        self.mend_towards_supervisor();
    }

    /// As [`Cable::mend`], one way only.
    pub(crate) fn mend_towards_supervisor(&self) {
        self.to_supervisor.way.send_replace(Way::Open);
    }

    /// Not a byte comes through, in connections that are there and in new ones.
    pub(crate) fn stall(&self, stalled: bool) {
        for relay in [&self.to_worker, &self.to_supervisor] {
            relay.stalled.send_replace(stalled);
        }
    }
}

/// Relays what connects to one port.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    backend: watch::Sender<String>,
    /// Whatever is sent breaks the connections that are there.
    way: watch::Sender<Way>,
    stalled: watch::Sender<bool>,
    serving: JoinSet<()>,
    /// Keeps the port while nobody listens there.
    reserved: Option<TcpSocket>,
}

#[derive(Clone, Copy)]
enum Way {
    Open,
    Cut,
}

impl Relay {
    fn new() -> Self {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut relay = Self {
            address: socket.local_addr().expect("a bound socket has an address"),
            backend: watch::Sender::default(),
            way: watch::Sender::new(Way::Open),
            stalled: watch::Sender::default(),
            serving: JoinSet::new(),
            reserved: None,
        };
        relay.listen(socket);
        relay
    }

    /// What connects is relayed there, host:port, from now on.
    pub(crate) fn leads_to(&self, backend: &str) {
        self.backend.send_replace(backend.to_owned());
    }

    /// Breaks every connection; nobody listens any more, so that new ones are refused, as those
    /// to a process that is gone.
    pub(crate) async fn refuse(&mut self) {
        self.serving.shutdown().await;
        self.reserved = Some(bound(self.address));
    }

    /// Listens again after [`Relay::refuse`].
    pub(crate) fn listen_again(&mut self) {
        let socket = self.reserved.take().unwrap_or_else(|| bound(self.address));
        self.listen(socket);
    }

    fn listen(&mut self, socket: TcpSocket) {
        let listener = socket.listen(BACKLOG).expect("its port is ours");
        let way = self.way.subscribe();
        let (backend, stalled) = (self.backend.subscribe(), self.stalled.subscribe());
        self.serving.spawn(accept(listener, way, backend, stalled));
    }
}

/// A socket that has its port and does not listen.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("there is IPv4");
    socket.set_reuseaddr(true).expect("the address can be taken again");
    socket.bind(address).expect("the port is ours");
    socket
}

async fn accept(
    listener: TcpListener,
    mut way: watch::Receiver<Way>,
    backend: watch::Receiver<String>,
    stalled: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            changed = way.changed() => match changed {
                // It listens on meanwhile: a port that refuses says that nobody is there.
                Ok(()) => connections.shutdown().await,
                Err(_) => return,
            },
            accepted = listener.accept() => {
                let (Ok((stream, _)), Way::Open) = (accepted, *way.borrow()) else { continue };
                connections.spawn(relay(stream, backend.clone(), stalled.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn relay(
    client: TcpStream,
    mut backend: watch::Receiver<String>,
    mut stalled: watch::Receiver<bool>,
) {
    // Until it is known where it leads, which is soon.
    let Ok(address) = backend.wait_for(|address| !address.is_empty()).await.map(|it| it.clone())
    else {
        return;
    };
    if stalled.wait_for(|stalled| !stalled).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(address).await else { return };
    for stream in [&client, &server] {
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    // When one way ends both do: nobody here half-closes.
    tokio::select! {
        () = carry(from_client, to_server, stalled.clone()) => {}
        () = carry(from_server, to_client, stalled) => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut stalled: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if stalled.wait_for(|stalled| !stalled).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
