//! Asking again: a supervisor may go away and come back, or be full for a while.

use std::{future::Future, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{failure::Failure, patience::Patience};

/// Tries until it works or is refused, for `limit` at most; `say` tells a person, once. No answer
/// means unknown, so an attempt must be safe to repeat.
///
/// # Errors
/// What the supervisor refused; or that it stayed away, or full, for too long.
pub(crate) async fn persist<T, F>(
    limit: Duration,
    say: impl Fn(&str),
    attempt: impl Fn() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut patience = Patience::new(limit);
    loop {
        let failure = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(failure) if may_pass(&failure) => failure,
            Err(failure) => return Err(failure),
        };
        if !patience.is_tried() {
            say(&said_of(&failure));
        }
        if !patience.pause().await {
            return Err(failure);
        }
    }
}

fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } => true,
        Failure::Refused(status) => is_full(status),
        Failure::Unknown { .. } | Failure::Stranger { .. } => false,
    }
}

/// Whether the queue has no room now: it says when to ask again.
fn is_full(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted && status.get_details_retry_info().is_some()
}

fn said_of(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable { address, cause } => {
            format!("no answer from {address} ({cause}); asking again")
        }
        _ => "the queue is full; waiting for room".to_owned(),
    }
}
