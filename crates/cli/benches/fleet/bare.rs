//! The limit: a bare loop of HTTP calls, without any queue.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{task::JoinSet, time::Instant};

/// Calls a second of so many callers that each ask again at once, the same as a worker asks.
pub(crate) async fn loop_of(sim: &str, calls: usize, at_once: usize) -> f64 {
    // Refused when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let url = format!("http://{sim}/v1/chat/completions");
    let body =
        r#"{"model":"simulated","stream":true,"messages":[{"role":"user","content":"task"}]}"#;
    let left = Arc::new(AtomicUsize::new(calls));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (client, url, left) = (client.clone(), url.clone(), left.clone());
        callers.spawn(async move {
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                let answer = client.post(&url).body(body).send().await.unwrap();
                answer.bytes().await.unwrap();
            }
        });
    }
    callers.join_all().await;
    calls as f64 / start.elapsed().as_secs_f64()
}
