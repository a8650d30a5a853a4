//! The subcommand `health`: asks the simulator that runs on this host, for a container's health
//! check.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The whole check takes no longer.
const LIMIT: Duration = Duration::from_secs(2);

/// Whether the simulator that listens at `listen` answers, and well.
///
/// # Errors
/// Nobody answers there, or not in time.
pub async fn serves(listen: SocketAddr) -> io::Result<bool> {
    let answer = tokio::time::timeout(LIMIT, status(on_this_host(listen))).await;
    Ok(answer.map_err(io::Error::from)?? == StatusCode::OK)
}

/// Where a simulator that listens at `address` is reached from its own host.
fn on_this_host(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn status(address: SocketAddr) -> io::Result<StatusCode> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let request = Request::get("/sim/healthz").header(header::HOST, address.to_string());
    let request = request.body(Body::empty()).map_err(io::Error::other)?;
    // The connection is driven as long as the answer is waited for.
    tokio::select! {
        answer = sender.send_request(request) => {
            answer.map(|answer| answer.status()).map_err(io::Error::other)
        }
        Err(error) = connection => Err(io::Error::other(error)),
    }
}
