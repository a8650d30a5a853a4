//! The serving side.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::{
    Server,
    server::{Connected, Router, TcpConnectInfo},
};

use super::{BoxedIo, BoxedListener, CONNECTION_WINDOW, STREAM_WINDOW};

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
                    return Some((Ok(ServerIo { io, peer, local }), listener));
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
pub struct ServerIo {
    io: BoxedIo,
    peer: SocketAddr,
    local: SocketAddr,
}

impl Connected for ServerIo {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: Some(self.local), remote_addr: Some(self.peer) }
    }
}

impl AsyncRead for ServerIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for ServerIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
