//! Telling a worker what it may forget, many at a time.

use std::{sync::Arc, time::Duration};

use taskfleet_core::adoption::Held;
use taskfleet_proto::v1::{
    self, SettleRequest, Settlement, worker_control_client::WorkerControlClient,
};
use taskfleet_runtime::{patience::answer_within, transport::Link};
use tokio::sync::mpsc;

use super::Member;
use crate::engine::Engine;

/// What became of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its outcome is on disk.
    Settled,
    /// It is void: what runs under it is to be aborted.
    Stale,
}

/// Settlements in one call at most.
const BATCH: usize = 1_000;
/// How long a settlement may wait for others to go with it.
const LINGER: Duration = Duration::from_millis(20);
/// How long a worker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn message(held: Held, verdict: Verdict) -> Settlement {
    let verdict = match verdict {
        Verdict::Settled => v1::Verdict::Settled,
        Verdict::Stale => v1::Verdict::Stale,
    };
    Settlement {
        task_id: held.task.to_string(),
        lease: held.lease.number(),
        verdict: verdict.into(),
    }
}

/// Sends what waits, until it is dropped with the connection. What was not answered stays in
/// `unsent` and is sent again, then or on the next connection: settling is idempotent.
pub(super) async fn send(
    engine: &Arc<Engine>,
    worker: &str,
    link: &Link,
    waiting: &mut mpsc::Receiver<Settlement>,
    unsent: &mut Vec<Settlement>,
) {
    let mut client = WorkerControlClient::new(link.channel());
    loop {
        if unsent.is_empty() && waiting.recv_many(unsent, BATCH).await == 0 {
            std::future::pending::<()>().await;
        }
        linger(waiting, unsent).await;
        let request = SettleRequest { caller: Member::caller(engine), settlements: unsent.clone() };
        match answer_within(ANSWER_WITHIN, client.settle(request)).await {
            Ok(Ok(_)) => unsent.clear(),
            Ok(Err(status)) => {
                engine.is_superseded(worker, &status);
                tracing::debug!(code = ?status.code(), "a worker took no settlements");
                // Either the connection is gone, which ends this loop from outside, or the
                // worker serves another supervisor now and will never take them.
                tokio::time::sleep(Duration::from_millis(200)).await;
                if status.code() == tonic::Code::FailedPrecondition {
                    unsent.clear();
                }
            }
            Err(_) => {}
        }
    }
}

async fn linger(waiting: &mut mpsc::Receiver<Settlement>, batch: &mut Vec<Settlement>) {
    let deadline = tokio::time::Instant::now() + LINGER;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match tokio::time::timeout_at(deadline, waiting.recv_many(batch, room)).await {
            Ok(received) if received > 0 => {}
            _ => return,
        }
    }
}
