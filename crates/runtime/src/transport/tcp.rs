//! TCP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tonic::async_trait;

use super::{BoxedIo, Connector, Listener};

/// Connects by TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnector;

#[async_trait]
impl Connector for TcpConnector {
    async fn connect(&self, authority: &str) -> io::Result<BoxedIo> {
        let stream = tokio::net::TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

/// Where a process of this machine reaches what listens at `address`, which may be everywhere.
#[must_use]
pub fn on_this_host(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Listens on a TCP port.
#[derive(Debug)]
pub struct TcpListener {
    inner: tokio::net::TcpListener,
    addr: SocketAddr,
}

impl TcpListener {
    /// Reserves the port of this setting; 0 takes any free one.
    ///
    /// # Errors
    /// Names address and setting when it is taken or not ours.
    pub async fn bind_for(setting: &str, addr: SocketAddr) -> io::Result<Self> {
        let hint = |error: &io::Error| format!("{error}: set {setting} to an address that is free");
        let hinted = |error: io::Error| io::Error::new(error.kind(), hint(&error));
        Self::bind(addr).await.map_err(hinted)
    }

    /// Reserves the port; 0 takes any free one.
    ///
    /// # Errors
    /// Names the address when it is taken or not ours.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{addr}: {error}"));
        let inner = tokio::net::TcpListener::bind(addr).await.map_err(named)?;
        let addr = inner.local_addr()?;
        Ok(Self { inner, addr })
    }
}

/// A listener without free file descriptors fails at once, again and again.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

#[async_trait]
impl Listener for TcpListener {
    fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)> {
        match self.inner.accept().await {
            Ok((stream, peer)) => {
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), peer))
            }
            Err(error) => {
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
                Err(error)
            }
        }
    }
}
