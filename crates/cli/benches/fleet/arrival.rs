//! When does a request reach the API? A relay between worker and API takes the time.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::Instant,
};

/// Relays connections to the API and keeps when the latest request that holds a mark arrived.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) target: watch::Sender<String>,
    last: Arc<Mutex<Option<Instant>>>,
    _serving: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(mark: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, targets) = watch::channel(String::new());
        let last = Arc::default();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, targets, mark, Arc::clone(&last)));
        Self { address, target, last, _serving: serving }
    }

    /// When the latest request arrived.
    pub(crate) fn last(&self) -> Instant {
        self.last.lock().unwrap().unwrap()
    }
}

async fn serve(
    listener: TcpListener,
    target: watch::Receiver<String>,
    mark: &'static str,
    last: Arc<Mutex<Option<Instant>>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        client.set_nodelay(true).unwrap();
        let api = target.borrow().clone();
        let api = TcpStream::connect(api).await.unwrap();
        api.set_nodelay(true).unwrap();
        let ((mut from_api, to_api), (from_client, mut to_client)) =
            (api.into_split(), client.into_split());
        connections.spawn(note(from_client, to_api, mark, Arc::clone(&last)));
        connections.spawn(async move {
            let _ = copy(&mut from_api, &mut to_client).await;
        });
    }
}

/// A request is one write, and small: one reading holds all of it.
async fn note(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mark: &'static str,
    last: Arc<Mutex<Option<Instant>>>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if buffer[..read].windows(mark.len()).any(|part| part == mark.as_bytes()) {
            *last.lock().unwrap() = Some(Instant::now());
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
