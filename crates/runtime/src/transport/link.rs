//! The calling side: one connection, and no other behind one's back.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};

use super::{CONNECTION_WINDOW, STREAM_WINDOW, SharedConnector, carrying::Carrying};

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
}

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
        let endpoint = Endpoint::from_shared(format!("http://{authority}"))
            .map_err(|_| LinkError::Address(authority.to_owned()))?
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .http2_keep_alive_interval(Duration::from_secs(15))
            .keep_alive_timeout(Duration::from_secs(30))
            .keep_alive_while_idle(true);
        let closed = CancellationToken::new();
        let dial = once(connector.clone(), authority.to_owned(), closed.clone());
        match tokio::time::timeout(limit, endpoint.connect_with_connector(dial)).await {
            Ok(Ok(channel)) => Ok(Self { channel, closed }),
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
    closed: CancellationToken,
) -> impl tower::Service<
    http::Uri,
    Response = TokioIo<GuardedIo>,
    Error = io::Error,
    Future = impl Future<Output = io::Result<TokioIo<GuardedIo>>> + Send,
> + Send
+ 'static {
    let unused = Arc::new(Mutex::new(Some(closed.drop_guard())));
    tower::service_fn(move |_: http::Uri| {
        let guard = unused.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (connector, authority) = (connector.clone(), authority.clone());
        async move {
            let guard = guard.ok_or_else(|| io::Error::other("the connection is gone"))?;
            let io = connector.connect(&authority).await?;
            Ok(TokioIo::new(Carrying { io, carried: guard }))
        }
    })
}

/// Tells of its end by being dropped, which HTTP/2 does as soon as the connection ends.
type GuardedIo = Carrying<DropGuard>;
