//! Is anybody there at all? One HTTP/2 ping.

use std::{io, time::Duration};

use h2::{Ping, client};

use super::SharedConnector;

/// Sends one HTTP/2 ping to `authority` (host:port) on a connection of its own; true when
/// it was answered within `limit`. A server answers pings whatever its handlers do.
pub async fn ping(connector: &SharedConnector, authority: &str, limit: Duration) -> bool {
    let answered = tokio::time::timeout(limit, answer(connector, authority)).await;
    matches!(answered, Ok(Ok(())))
}

async fn answer(connector: &SharedConnector, authority: &str) -> io::Result<()> {
    let io = connector.connect(authority).await?;
    let (_requests, mut connection) = client::handshake(io).await.map_err(io::Error::other)?;
    let mut pings = connection.ping_pong().ok_or_else(|| io::Error::other("no pings"))?;
    tokio::select! {
        answer = pings.ping(Ping::opaque()) => answer.map(drop).map_err(io::Error::other),
        ended = &mut connection => Err(io::Error::other(format!("it ended: {ended:?}"))),
    }
}
