//! The calling side: one connection, and no other behind one's back.

use std::{
    error::Error as _,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use super::{
    CONNECTION_WINDOW, STREAM_WINDOW, SharedConnector, carrying::Carrying, severable::Severable,
};

/// Exactly one connection to a peer.
///
/// tonic's own channels reconnect silently, and then a call may reach another process at
/// the same address. A link never does: once its connection is gone every call fails as
/// UNAVAILABLE and [`Link::closed`] tells, so that whoever made it can make another and
/// see who answers. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Link {
    channel: Channel,
    closed: CancellationToken,
    leaving: CancellationToken,
    cut: CancellationToken,
    received: Arc<AtomicU64>,
}

/// Whether a connection that is silent is kept alive by HTTP/2 pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// Pings after 15 s of silence, and is gone when 30 s bring no answer.
    Pings,
    /// No pings: gRPC servers of other makes take pings more often than once in five
    /// minutes for an attack and close the connection (`too_many_pings`).
    Quiet,
}

/// The request was never sent, for its link takes none any more.
#[derive(Debug, thiserror::Error)]
#[error("the connection is gone")]
struct TakesNoMore;

/// A connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The address is no host:port.
    #[error("{0} is not host:port")]
    Address(String),
    /// Nobody answered in time.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The connection was refused or broke.
    #[error("{}", root_cause(.0))]
    Connect(tonic::transport::Error),
}

impl Link {
    /// Connects to `authority` (host:port), within `limit`.
    ///
    /// # Errors
    /// See [`LinkError`]. A connection that was made proves nothing about the process behind
    /// it: a stopped one accepts too.
    pub async fn connect(
        connector: &SharedConnector,
        authority: &str,
        limit: Duration,
    ) -> Result<Self, LinkError> {
        Self::connect_as(KeepAlive::Pings, connector, authority, limit).await
    }

    /// Like [`Link::connect`], with or without pings.
    ///
    /// # Errors
    /// As [`Link::connect`].
    pub async fn connect_as(
        keep_alive: KeepAlive,
        connector: &SharedConnector,
        authority: &str,
        limit: Duration,
    ) -> Result<Self, LinkError> {
        let endpoint = endpoint(keep_alive, authority)?;
        let (closed, leaving) = (CancellationToken::new(), CancellationToken::new());
        let (cut, received) = (CancellationToken::new(), Arc::default());
        let ends = LinkEnds {
            closed: closed.clone().drop_guard(),
            cut: cut.clone(),
            received: Arc::clone(&received),
        };
        let dial = once(connector.clone(), authority.to_owned(), ends, leaving.clone());
        match tokio::time::timeout(limit, endpoint.connect_with_connector(dial)).await {
            Ok(Ok(channel)) => Ok(Self { channel, closed, leaving, cut, received }),
            Ok(Err(error)) => Err(LinkError::Connect(error)),
            Err(_) => Err(LinkError::Timeout(limit)),
        }
    }

    /// The channel to make clients from.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Waits until the connection is gone.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Waits until it is known that the connection takes no new requests, which a call finds
    /// out: the peer has said goodbye (GOAWAY), and what runs on it may still end.
    pub async fn leaving(&self) {
        self.leaving.cancelled().await;
    }

    /// Whether a call failed before anything of it was sent, because the connection takes no
    /// requests any more; then [`Link::leaving`] knows it, too.
    #[must_use]
    pub fn never_took(&self, status: &Status) -> bool {
        let mut cause = status.source();
        while let Some(error) = cause {
            let refused = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            // Of HTTP/2's requests hyper calls those canceled that it could not send.
            let unsent =
                error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            if unsent || refused.is_some_and(|inner| inner.is::<TakesNoMore>()) {
                self.leaving.cancel();
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// Breaks the connection, for all who share it: one that carries nothing any more would
    /// keep its streams waiting for ever.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// How many bytes the peer has sent so far, of whatever.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }
}

impl LinkError {
    /// Whether the peer's machine said that nobody listens there.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let Self::Connect(error) = self else { return false };
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return error.kind() == io::ErrorKind::ConnectionRefused;
            }
            cause = error.source();
        }
        false
    }
}

fn endpoint(keep_alive: KeepAlive, authority: &str) -> Result<Endpoint, LinkError> {
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(|_| LinkError::Address(authority.to_owned()))?
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW);
    Ok(match keep_alive {
        KeepAlive::Quiet => endpoint,
        KeepAlive::Pings => endpoint
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(30))
            .keep_alive_while_idle(true),
    })
}

fn root_cause(error: &tonic::transport::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A connector that dials once; asked again, it says that the link is gone.
fn once(
    connector: SharedConnector,
    authority: String,
    ends: LinkEnds,
    leaving: CancellationToken,
) -> impl tower::Service<
    http::Uri,
    Response = TokioIo<GuardedIo>,
    Error = io::Error,
    Future = impl Future<Output = io::Result<TokioIo<GuardedIo>>> + Send,
> + Send
+ 'static {
    let unused = Arc::new(Mutex::new(Some(ends)));
    tower::service_fn(move |_: http::Uri| {
        let ends = unused.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (connector, authority) = (connector.clone(), authority.clone());
        if ends.is_none() {
            leaving.cancel();
        }
        async move {
            let LinkEnds { closed, cut, received } =
                ends.ok_or_else(|| io::Error::other(TakesNoMore))?;
            let io = connector.connect(&authority).await?;
            let io = Box::new(Severable::new(io, cut, received));
            Ok(TokioIo::new(Carrying { io, carried: closed }))
        }
    })
}

/// How a connection tells of its end, and how it is told.
struct LinkEnds {
    closed: DropGuard,
    cut: CancellationToken,
    received: Arc<AtomicU64>,
}

/// Tells of its end by being dropped, which HTTP/2 does as soon as the connection ends.
type GuardedIo = Carrying<DropGuard>;
