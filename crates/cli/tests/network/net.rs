//! The transport of a simulated machine: turmoil's network behind the services' own seams.

mod gate;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use taskfleet_runtime::transport::{BoxedIo, Connector, Listener};
use turmoil::net::{TcpListener, TcpStream};

use gate::{Gate, Gated};

/// What the network does not tell: which ways are cut. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network(Arc<Mutex<Ways>>);

#[derive(Debug, Default)]
struct Ways {
    cut: BTreeSet<(IpAddr, IpAddr)>,
    /// How often everything on a way was lost.
    losses: BTreeMap<(IpAddr, IpAddr), u64>,
    /// Of the connections that are made now, by their ends, the lower address first.
    gates: BTreeMap<(IpAddr, IpAddr), Gate>,
    /// Of those that stand still.
    closed: BTreeMap<(IpAddr, IpAddr), Vec<Gate>>,
}

impl Network {
    /// From now on what the first sends to the second is lost, as is what is on its way.
    pub(crate) fn cut(&self, from: IpAddr, to: IpAddr) {
        self.lock().cut.insert((from, to));
        self.lose(from, to);
    }

    pub(crate) fn mend(&self, from: IpAddr, to: IpAddr) {
        self.lock().cut.remove(&(from, to));
    }

    pub(crate) fn lose(&self, from: IpAddr, to: IpAddr) {
        *self.lock().losses.entry((from, to)).or_default() += 1;
    }

    /// Every connection between the two breaks, and both hear of it.
    pub(crate) fn reset(&self, one: IpAddr, other: IpAddr) {
        let (of, mut ways) = (pair(one, other), self.lock());
        let closed = ways.closed.remove(&of).unwrap_or_default();
        let gates: Vec<Gate> = ways.gates.remove(&of).into_iter().chain(closed).collect();
        drop(ways);
        gates.iter().for_each(Gate::break_all);
    }

    /// Nothing is read from the connections between the two, until they are told to go on.
    /// New ones work.
    pub(crate) fn stall(&self, one: IpAddr, other: IpAddr) {
        let (of, mut ways) = (pair(one, other), self.lock());
        if let Some(gate) = ways.gates.remove(&of) {
            gate.close();
            ways.closed.entry(of).or_default().push(gate);
        }
    }

    pub(crate) fn go_on(&self, one: IpAddr, other: IpAddr) {
        let closed = self.lock().closed.remove(&pair(one, other));
        closed.iter().flatten().for_each(Gate::open);
    }

    /// The gate of a connection that is made now.
    fn gate(&self, one: IpAddr, other: IpAddr) -> Gate {
        self.lock().gates.entry(pair(one, other)).or_default().clone()
    }

    pub(crate) fn is_cut(&self, from: IpAddr, to: IpAddr) -> bool {
        self.lock().cut.contains(&(from, to))
    }

    fn losses(&self, from: IpAddr, to: IpAddr) -> u64 {
        self.lock().losses.get(&(from, to)).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    (one.min(other), one.max(other))
}

/// Connects from one machine.
#[derive(Debug)]
pub(crate) struct SimConnector {
    pub(crate) own: IpAddr,
    pub(crate) network: Network,
}

/// How long TCP waits before it asks for a connection once more.
const SYN_AGAIN: Duration = Duration::from_secs(1);

#[async_trait]
impl Connector for SimConnector {
    /// turmoil calls a connection refused whose request was lost, and completes one whose
    /// answer would be; a real network is silent then.
    async fn connect(&self, authority: &str) -> io::Result<BoxedIo> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let peer = turmoil::lookup(host);
        loop {
            let losses = self.network.losses(self.own, peer);
            let was_cut = self.network.is_cut(self.own, peer);
            let dialled = TcpStream::connect(authority).await;
            let lost = was_cut || self.network.losses(self.own, peer) != losses;
            match dialled {
                Ok(stream) if !self.network.is_cut(peer, self.own) => {
                    let gate = self.network.gate(self.own, peer);
                    return Ok(Box::new(Gated::new(stream, gate)));
                }
                Err(error) if !lost => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(SYN_AGAIN).await,
            }
        }
    }
}

/// Listens on one machine.
pub(crate) struct SimListener {
    own: IpAddr,
    network: Network,
    inner: TcpListener,
    addr: SocketAddr,
}

impl SimListener {
    pub(crate) async fn bind(own: IpAddr, network: Network, port: u16) -> io::Result<Self> {
        let inner = TcpListener::bind(("0.0.0.0", port)).await?;
        let addr = inner.local_addr()?;
        Ok(Self { own, network, inner, addr })
    }
}

#[async_trait]
impl Listener for SimListener {
    fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)> {
        let (stream, peer) = self.inner.accept().await?;
        let gate = self.network.gate(self.own, peer.ip());
        Ok((Box::new(Gated::new(stream, gate)), peer))
    }
}
