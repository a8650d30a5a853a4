//! What a service tells of itself over HTTP: `/metrics`, `/livez`, `/readyz`.

use std::{convert::Infallible, fmt::Write, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use prometheus::TEXT_FORMAT;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    health::Readiness,
    metrics::Metrics,
    transport::{BoxedIo, BoxedListener},
};

/// Connections at once; the next one is accepted when one of them ends.
const CONNECTIONS: usize = 64;
/// One request comes on each connection, and all of it is over within this time.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// So much of each reason is told, in bytes.
const LONGEST_REASON: usize = 300;
/// What takes longer to measure is told as it was measured last.
const MEASURE_WITHIN: Duration = Duration::from_secs(2);

/// A service whose gauges are brought up to date when somebody looks at them.
#[async_trait]
pub trait Measured: Send + Sync + 'static {
    /// Sets what is not counted as it happens.
    async fn measure(&self);
}

/// What is told.
#[derive(Clone)]
pub struct Told {
    /// Whether the service is ready, and why not.
    pub readiness: Readiness,
    /// What it counts.
    pub metrics: Metrics,
    /// Brings its gauges up to date.
    pub measured: Arc<dyn Measured>,
}

/// Does `work` and tells meanwhile, to its very end: while a service stops it says that, too.
/// Without a listener nothing is told.
pub async fn tell_during<T>(
    listener: Option<BoxedListener>,
    told: Told,
    work: impl Future<Output = T>,
) -> T {
    let Some(listener) = listener else { return work.await };
    tokio::select! {
        done = work => done,
        never = serve(listener, routes(told)) => match never {},
    }
}

fn routes(told: Told) -> Router {
    Router::new()
        .route("/livez", get(async || "live\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n"))
        .with_state(told)
}

async fn readyz(State(told): State<Told>) -> Response {
    let reasons = told.readiness.reasons();
    if reasons.is_empty() {
        return "ready\n".into_response();
    }
    let mut words = String::new();
    for (part, reason) in reasons {
        // Writing to a string does not fail.
        let _ = writeln!(words, "{part}: {}", in_short(&reason));
    }
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

/// The first line of it, for others may have written it, and not too much of that.
fn in_short(reason: &str) -> &str {
    let line = reason.lines().next().unwrap_or_default();
    &line[..line.floor_char_boundary(LONGEST_REASON)]
}

async fn metrics(State(told): State<Told>) -> Response {
    if timeout(MEASURE_WITHIN, told.measured.measure()).await.is_err() {
        tracing::warn!("measuring took too long; the metrics tell what was measured before");
    }
    match told.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be told");
            (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be told\n").into_response()
        }
    }
}

async fn serve(mut listener: BoxedListener, routes: Router) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((io, _)) => drop(connections.spawn(connection(io, routes.clone()))),
                Err(error) => tracing::warn!(%error, "could not accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(io: BoxedIo, routes: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(routes));
    // Whoever hangs up, talks nonsense or reads nothing harms nobody but himself.
    let _ = timeout(REQUEST_WITHIN, serving).await;
}

#[cfg(test)]
mod tests;
