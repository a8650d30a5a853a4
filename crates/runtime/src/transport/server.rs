//! The serving side.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures::{Stream, stream};
use tonic::transport::{
    Server,
    server::{Connected, Router, TcpConnectInfo},
};

use super::{BoxedListener, CONNECTION_WINDOW, STREAM_WINDOW, carrying::Carrying};

/// Streams at once on one connection; hyper's own 200 would queue the rest.
const MAX_STREAMS: u32 = 65_536;
/// Streams that a peer may reset before they are accepted: cancelling thousands of tasks is
/// no attack here.
const MAX_RESETS: usize = 65_536;

/// A server with our HTTP/2 settings.
#[must_use]
pub fn bound_server() -> Server {
    Server::builder()
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MAX_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_RESETS))
        .http2_keepalive_interval(Some(Duration::from_secs(15)))
        .http2_keepalive_timeout(Some(Duration::from_secs(30)))
}

/// The connections of a listener. One that fails to be accepted is passed over.
pub fn incoming(listener: BoxedListener) -> impl Stream<Item = io::Result<ServerIo>> {
    stream::unfold(listener, |mut listener| async move {
        loop {
            match listener.accept().await {
                Ok((io, peer)) => {
                    let local = listener.local_addr();
                    return Some((Ok(Carrying { io, carried: Ends { peer, local } }), listener));
                }
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            }
        }
    })
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every call had ended.
    Clean,
    /// Some calls were cut off when their time was over.
    CutOff,
}

/// Serves until `stop`, then waits at most `grace` for open calls.
///
/// # Errors
/// When the transport fails as a whole.
pub async fn serve(
    router: Router,
    listener: BoxedListener,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> Result<Stopped, tonic::transport::Error> {
    let (asked, was_asked) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        stop.await;
        // The receiver is gone when serving has ended by itself.
        let _ = asked.send(());
    };
    let serving = router.serve_with_incoming_shutdown(incoming(listener), stop);
    let out_of_time = async {
        if was_asked.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        ended = serving => ended.map(|()| Stopped::Clean),
        () = out_of_time => Ok(Stopped::CutOff),
    }
}

/// An accepted connection. `tonic::Request::remote_addr` tells its peer.
pub type ServerIo = Carrying<Ends>;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    peer: SocketAddr,
    local: SocketAddr,
}

impl Connected for ServerIo {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        let Ends { peer, local } = self.carried;
        TcpConnectInfo { local_addr: Some(local), remote_addr: Some(peer) }
    }
}
