//! Telling what listens at an address that is no supervisor.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// How tonic begins what it says of an HTTP answer that is none of gRPC's.
const NO_GRPC_STATUS: &str = "grpc-status header missing";
/// What it says when the body of one is read as messages.
const NO_GRPC_BODY: &str = "invalid compression flag";

/// How every client of HTTP/2 begins (RFC 9113, 3.4): with a preface and a SETTINGS frame, here an
/// empty one. The server's first frame is one of that type, too.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
/// Who answers otherwise does so at once.
const LIMIT: Duration = Duration::from_secs(1);

/// No HTTP/2, or no gRPC over it.
pub(crate) const NOT_GRPC: &str = "it does not speak gRPC";
/// A service of gRPC, and none of ours.
pub(crate) const OTHER_GRPC: &str =
    "it speaks gRPC, but does not know this call (another service, or another version)";
const WORKER: &str = "it is a worker; ask the supervisor that it registers with";

/// Whether no gRPC server can have sent this. A gateway whose server is away answers
/// UNAVAILABLE, and is none of these: that may pass.
pub(crate) fn is_not_grpc(status: &Status) -> bool {
    let said = status.message();
    let is_http = said.starts_with(NO_GRPC_STATUS) && status.code() != Code::Unavailable;
    is_http || said.contains(NO_GRPC_BODY)
}

/// Whether something answers at host:port, and not in HTTP/2. Asked on a connection of its own:
/// what broke the first one is not told reliably, for a server may close it before it is read.
pub(crate) async fn is_not_http2(authority: &str) -> bool {
    let first_bytes = async {
        let mut stream = TcpStream::connect(authority).await?;
        stream.write_all(PREFACE).await?;
        let mut head = [0; 4];
        let read = stream.read(&mut head).await?;
        io::Result::Ok((read, head[3]))
    };
    let first_bytes = tokio::time::timeout(LIMIT, first_bytes).await;
    matches!(first_bytes, Ok(Ok((read, kind))) if read > 0 && (read < 4 || kind != SETTINGS))
}

/// What a server is that does not know a call of ours.
pub(crate) async fn who_is_it(channel: Channel) -> &'static str {
    let service = "worker.WorkerService".to_owned();
    let mut health = HealthClient::new(channel);
    let asking = health.check(HealthCheckRequest { service });
    match tokio::time::timeout(LIMIT, asking).await {
        Ok(Ok(_)) => WORKER,
        _ => OTHER_GRPC,
    }
}
