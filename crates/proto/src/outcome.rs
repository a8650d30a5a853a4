//! How an execution ended, domain to wire and back.

use std::time::Duration;

use bytes::Bytes;
use taskfleet_core::{
    Lease,
    failure::{Delivery, FailureKind},
    limits,
    outcome::{Call, End, Facts, Failure, Outcome, Payload, RateLimit, RateLimits, Usage},
    time::whole_millis,
};

use crate::worker::{self, Disposition, TaskResponse, WorkerStatus};

/// The last message of a stream: the outcome, also in the published fields. A request's body
/// stands in the outcome only: who knows the published part alone cannot send a request.
#[must_use]
pub fn last_response(task_id: String, lease: Lease, outcome: Outcome) -> TaskResponse {
    let mut response = TaskResponse { task_id, lease: lease.number(), ..TaskResponse::default() };
    let mut wire = call_to_wire(&outcome.call);
    let (status, disposition) = match outcome.end {
        End::Completed(Payload::Text(text)) => {
            response.result = text;
            (WorkerStatus::Completed, Disposition::Completed)
        }
        End::Completed(Payload::Body(body)) => {
            wire.body = Bytes::from(body);
            (WorkerStatus::Completed, Disposition::Completed)
        }
        End::Failed(failure) => {
            wire.set_kind(failure.kind.into());
            wire.retry_after_ms = failure.retry_after.map(whole_millis);
            wire.permanent = failure.permanent;
            response.error = failure.message;
            (WorkerStatus::Failed, Disposition::Failed)
        }
        End::Cancelled => (WorkerStatus::Failed, Disposition::Cancelled),
        End::Released => (WorkerStatus::Failed, Disposition::Released),
    };
    response.set_status(status);
    wire.set_disposition(disposition);
    response.outcome = Some(wire);
    response
}

/// The outcome that a last message carries; `None` when it is not the last.
#[must_use]
pub fn read_outcome(response: TaskResponse) -> Option<Outcome> {
    let status = response.status();
    let Some(wire) = response.outcome else {
        return published_outcome(status, response.result, response.error);
    };
    let call = call_from_wire(&wire);
    let end = match wire.disposition() {
        Disposition::Completed if wire.body.is_empty() => {
            End::Completed(Payload::Text(response.result))
        }
        Disposition::Completed => End::Completed(Payload::Body(wire.body.into())),
        Disposition::Cancelled => End::Cancelled,
        Disposition::Released => End::Released,
        Disposition::Failed | Disposition::Unspecified => End::Failed(Failure {
            kind: wire.kind().known().unwrap_or(FailureKind::Internal),
            message: response.error,
            retry_after: wire.retry_after_ms.map(Duration::from_millis),
            permanent: wire.permanent,
        }),
    };
    Some(Outcome { end: kept(end), call })
}

/// A worker of somebody else may know no limit of results.
fn kept(end: End) -> End {
    match end {
        End::Completed(payload) if payload.as_bytes().len() > limits::MAX_RESULT_BYTES => {
            End::Failed(Failure::too_large())
        }
        end => end,
    }
}

/// What a worker says that knows only the published part.
fn published_outcome(status: WorkerStatus, result: String, error: String) -> Option<Outcome> {
    match status {
        WorkerStatus::Completed => Some(Outcome {
            end: kept(End::Completed(Payload::Text(result))),
            call: Call::new(Delivery::Answered),
        }),
        WorkerStatus::Failed => Some(Outcome::failed(FailureKind::ApiError, Delivery::Sent, error)),
        WorkerStatus::Unknown | WorkerStatus::Processing => None,
    }
}

fn call_to_wire(call: &Call) -> worker::Outcome {
    let mut wire = worker::Outcome {
        http_status: call.http_status.map_or(0, u32::from),
        provider_request_id: call.provider_request_id.clone(),
        served_model: call.served_model.clone(),
        usage: call.usage.map(Into::into),
        finish_reason: call.finish_reason.clone(),
        rate_limits: call.facts.rate_limits.map(Into::into),
        limit_key: call.facts.limit_key.clone(),
        first_byte_ms: call.facts.first_byte.map(whole_millis),
        call_ms: call.facts.took.map(whole_millis),
        ..worker::Outcome::default()
    };
    wire.set_delivery(call.delivery.into());
    wire
}

fn call_from_wire(wire: &worker::Outcome) -> Call {
    Call {
        // Unsaid: it may have been sent, and so paid.
        delivery: wire.delivery().known().unwrap_or(Delivery::Sent),
        http_status: u16::try_from(wire.http_status).ok().filter(|status| *status > 0),
        provider_request_id: wire.provider_request_id.clone(),
        served_model: wire.served_model.clone(),
        usage: wire.usage.map(Into::into),
        finish_reason: wire.finish_reason.clone(),
        facts: Box::new(Facts {
            rate_limits: wire.rate_limits.map(Into::into),
            limit_key: wire.limit_key.clone(),
            first_byte: wire.first_byte_ms.map(Duration::from_millis),
            took: wire.call_ms.map(Duration::from_millis),
        }),
    }
}

impl From<RateLimits> for worker::RateLimits {
    fn from(limits: RateLimits) -> Self {
        Self {
            age_ms: whole_millis(limits.age),
            limit_requests: limits.requests.limit,
            remaining_requests: limits.requests.remaining,
            reset_requests_ms: limits.requests.reset.map(whole_millis),
            limit_tokens: limits.tokens.limit,
            remaining_tokens: limits.tokens.remaining,
            reset_tokens_ms: limits.tokens.reset.map(whole_millis),
        }
    }
}

impl From<worker::RateLimits> for RateLimits {
    fn from(wire: worker::RateLimits) -> Self {
        let requests = RateLimit {
            limit: wire.limit_requests,
            remaining: wire.remaining_requests,
            reset: wire.reset_requests_ms.map(Duration::from_millis),
        };
        let tokens = RateLimit {
            limit: wire.limit_tokens,
            remaining: wire.remaining_tokens,
            reset: wire.reset_tokens_ms.map(Duration::from_millis),
        };
        Self { age: Duration::from_millis(wire.age_ms), requests, tokens }
    }
}

impl From<Usage> for worker::Usage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            total_tokens: usage.total_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

impl From<worker::Usage> for Usage {
    fn from(usage: worker::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            total_tokens: usage.total_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(outcome: &Outcome) -> Option<Outcome> {
        read_outcome(last_response("t".into(), Lease::new(7), outcome.clone()))
    }

    #[test]
    fn outcomes_survive_the_wire() {
        let usage =
            Usage { input_tokens: 1, output_tokens: 2, total_tokens: 3, ..Usage::default() };
        let rate_limits = RateLimits {
            age: Duration::from_millis(5),
            requests: RateLimit {
                limit: Some(60),
                remaining: Some(-1),
                reset: Some(Duration::from_millis(250)),
            },
            tokens: RateLimit { limit: Some(0), ..RateLimit::default() },
        };
        let call = Call {
            http_status: Some(200),
            provider_request_id: "req_1".into(),
            served_model: "m".into(),
            usage: Some(usage),
            finish_reason: "stop".into(),
            facts: Box::new(Facts {
                rate_limits: Some(rate_limits),
                limit_key: "account/m".into(),
                first_byte: Some(Duration::from_millis(20)),
                took: Some(Duration::from_millis(700)),
            }),
            ..Call::new(Delivery::Answered)
        };
        let failure = Failure {
            kind: FailureKind::RateLimited,
            message: "slow down".into(),
            retry_after: Some(Duration::from_millis(250)),
            permanent: true,
        };
        for end in [
            End::Completed(Payload::Text("grüß".into())),
            End::Completed(Payload::Text(String::new())),
            End::Completed(Payload::Body(vec![0xff, 0xfe])),
            End::Failed(failure),
            End::Cancelled,
            End::Released,
        ] {
            let outcome = Outcome { end, call: call.clone() };
            assert_eq!(round_trip(&outcome), Some(outcome));
        }
    }

    #[test]
    fn a_result_that_is_too_large_to_keep_is_a_failure_whoever_sends_it() {
        let text = "x".repeat(limits::MAX_RESULT_BYTES + 1);
        let mut published = TaskResponse { result: text.clone(), ..TaskResponse::default() };
        published.set_status(WorkerStatus::Completed);
        let end = End::Completed(Payload::Body(text.into_bytes()));
        let ours = Outcome { end, call: Call::new(Delivery::Answered) };
        for outcome in [read_outcome(published), round_trip(&ours)] {
            assert_eq!(outcome.unwrap().end, End::Failed(Failure::too_large()));
        }
    }

    #[test]
    fn a_published_worker_fails_as_an_api_error_that_may_have_been_paid() {
        let mut response = TaskResponse { error: "no".into(), ..TaskResponse::default() };
        response.set_status(WorkerStatus::Failed);
        let outcome = read_outcome(response).unwrap();
        let End::Failed(failure) = outcome.end else { panic!("not failed") };
        assert_eq!((failure.kind, outcome.call.delivery), (FailureKind::ApiError, Delivery::Sent));
    }
}
