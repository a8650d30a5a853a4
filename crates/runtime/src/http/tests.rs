use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
};

use super::*;
use crate::transport::Listener;

/// Connections that are handed in.
struct Handed(mpsc::Receiver<DuplexStream>);

#[async_trait]
impl Listener for Handed {
    fn local_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }

    async fn accept(&mut self) -> io::Result<(BoxedIo, SocketAddr)> {
        match self.0.recv().await {
            Some(io) => Ok((Box::new(io), self.local_addr())),
            None => std::future::pending().await,
        }
    }
}

/// Never done with measuring.
struct Stuck;

#[async_trait]
impl Measured for Stuck {
    async fn measure(&self) {
        std::future::pending::<()>().await;
    }
}

fn told() -> Told {
    let readiness = Readiness::default();
    let metrics = Metrics::new("0", readiness.clone());
    Told { readiness, metrics, measured: Arc::new(Stuck) }
}

async fn ask(mut io: DuplexStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn callers_who_say_nothing_do_not_keep_out_the_next_for_long() {
    let (hand, handed) = mpsc::channel(CONNECTIONS + 1);
    let listener: BoxedListener = Box::new(Handed(handed));
    let asking = async {
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            let (ours, theirs) = duplex(1_024);
            hand.send(theirs).await.unwrap();
            silent.push(ours);
        }
        let (ours, theirs) = duplex(1 << 20);
        hand.send(theirs).await.unwrap();
        ask(ours, "/livez").await
    };
    let limit = REQUEST_WITHIN + Duration::from_secs(1);
    let answer = timeout(limit, tell_during(Some(listener), told(), asking)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn metrics_are_told_even_when_what_is_to_be_measured_hangs() {
    let (hand, handed) = mpsc::channel(1);
    let listener: BoxedListener = Box::new(Handed(handed));
    let asking = async {
        let (ours, theirs) = duplex(1 << 20);
        hand.send(theirs).await.unwrap();
        ask(ours, "/metrics").await
    };
    let answer = tell_during(Some(listener), told(), asking).await;
    for part in
        ["text/plain; version=0.0.4", "taskfleet_ready 1", "taskfleet_build_info{version=\"0\"} 1"]
    {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}
