//! How bytes travel: the listener and the connector are parameters, so that a simulated
//! network fits, and the HTTP/2 settings stand here once for all parties.

mod carrying;
mod link;
mod ping;
mod server;
mod severable;
mod tcp;

use std::{io, net::SocketAddr, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tonic::async_trait;

pub use carrying::Carrying;
pub use link::{KeepAlive, Link, LinkError};
pub use ping::ping;
pub use server::{Ends, ServerIo, Stopped, bound_server, incoming, serve};
pub use tcp::{TcpConnector, TcpListener, on_this_host};

/// A connection's two directions of bytes.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Some connection.
pub type BoxedIo = Box<dyn Io>;

/// Makes connections.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Connects to `host:port`.
    async fn connect(&self, authority: &str) -> io::Result<BoxedIo>;
}

/// Any connector.
pub type SharedConnector = Arc<dyn Connector>;

/// Takes connections.
#[async_trait]
pub trait Listener: Send + 'static {
    /// Where it listens.
    fn local_addr(&self) -> SocketAddr;

    /// The next connection, and where it comes from.
    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)>;
}

/// Any listener.
pub type BoxedListener = Box<dyn Listener>;

/// Flow-control window of a connection, in bytes. h2 closes a connection when many small
/// DATA frames lie unread, and its budget is half this window: with the default of 64 KiB a
/// supervisor that stops reading for two seconds under 3,300 streams loses all of them.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Flow-control window of one stream, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
/// The largest message between our own parties, in bytes: a result of 16 MiB and what
/// stands around it.
pub const MAX_MESSAGE_BYTES: usize = 20 << 20;
