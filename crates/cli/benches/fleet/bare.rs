//! The limit: a bare loop of HTTP calls, without any queue.

use std::sync::{Arc, atomic::AtomicUsize};

use tokio::{task::JoinSet, time::Instant};

use crate::throughput::take;

/// Calls a second of so many callers that each ask again at once, the same as a worker asks.
pub(crate) async fn loop_of(sim: &str, body: &'static str, calls: usize, at_once: usize) -> f64 {
    // Refused when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let url = format!("http://{sim}/v1/chat/completions");
    let left = Arc::new(AtomicUsize::new(calls));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (client, url, left) = (client.clone(), url.clone(), left.clone());
        callers.spawn(async move {
            while take(&left).is_some() {
                let answer = client.post(&url).body(body).send().await.unwrap();
                answer.bytes().await.unwrap();
            }
        });
    }
    callers.join_all().await;
    calls as f64 / start.elapsed().as_secs_f64()
}
