//! Binds the port, wires the endpoints, and ends in bounded time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};

use crate::app::App;
use crate::errors::{ApiError, canned};
use crate::settings::Settings;
use crate::{call, inspect, models};

/// How long running calls may go on after the simulator was told to stop. A hanging call never
/// ends by itself.
const GRACE: Duration = Duration::from_secs(1);

/// Connections that may wait to be accepted: a benchmark opens thousands at once, and one that
/// finds the queue full waits a second before it knocks again.
const BACKLOG: u32 = 4096;

/// Larger requests are answered with 413.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// A simulator that has its port.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    listener: TcpListener,
    router: Router,
    /// Dropped when `run` ends, which ends every call that still waits.
    alive: watch::Sender<()>,
}

impl Sim {
    /// Takes the port. Calls are queued from now on and answered once [`Sim::run`] runs.
    ///
    /// # Errors
    /// `InvalidInput` for settings that make no sense; otherwise why the address could not be
    /// had, naming it.
    pub async fn bind(settings: Settings) -> io::Result<Self> {
        settings.check()?;
        let listener = listen(settings.listen).map_err(|error| {
            let words = format!("cannot listen on {}: {error}", settings.listen);
            io::Error::new(error.kind(), words)
        })?;
        let address = listener.local_addr()?;
        let (alive, stopped) = watch::channel(());
        let router = router(Arc::new(App::new(settings, stopped)));
        Ok(Self { address, listener, router, alive })
    }

    /// The address it listens on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers calls until `shutdown` completes, then lets running calls go on for at most one
    /// second and aborts the rest. Dropping the future aborts them at once.
    ///
    /// # Errors
    /// None today; accept errors are waited out.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { listener, router, alive, .. } = self;
        let (told, heard) = oneshot::channel();
        let listener = listener.tap_io(|connection| {
            // Without it a small delta waits for the acknowledgement of the one before.
            let _ = connection.set_nodelay(true);
        });
        let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
            shutdown.await;
            let _ = told.send(());
        });
        let result = tokio::select! {
            result = serve.into_future() => result,
            () = grace_is_over(heard) => Ok(()),
        };
        drop(alive);
        result
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for old connections in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Never completes when the sender is dropped unsent: then `serve` itself has ended.
async fn grace_is_over(heard: oneshot::Receiver<()>) {
    match heard.await {
        Ok(()) => tokio::time::sleep(GRACE).await,
        Err(_) => std::future::pending().await,
    }
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(call::chat))
        .route("/v1/responses", post(call::responses))
        .route("/v1/embeddings", post(call::embeddings))
        .route("/v1/models", get(models::all))
        .route("/v1/models/{model}", get(models::one))
        .route("/sim/calls", get(inspect::all).delete(inspect::reset))
        .route("/sim/calls/{task}", get(inspect::task))
        .route("/sim/faults", get(inspect::faults).put(inspect::set_faults))
        .route("/sim/healthz", get(async || StatusCode::OK))
        .fallback(async || ApiError::clone(&canned::UNKNOWN_URL))
        .method_not_allowed_fallback(async || ApiError::clone(&canned::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(Arc::clone(&app), stamp))
        .with_state(app)
}

/// Puts a request id on every answer, as the real API does.
async fn stamp(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::try_from(format!("req_{}", app.next_id())) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}
