//! A refusal, as gRPC says it.

use taskfleet_core::execution::Refused;
use tonic::{Code, Status};

/// The status of a refusal, as `worker.proto` documents them. None of them started a call.
pub(crate) fn refused(why: Refused) -> Status {
    let code = match why {
        Refused::NotServed => Code::FailedPrecondition,
        Refused::Ended => Code::Aborted,
        Refused::NotHeld => Code::NotFound,
        Refused::NoSlot | Refused::OutboxFull => Code::ResourceExhausted,
        Refused::Draining => Code::Unavailable,
    };
    Status::new(code, why.to_string())
}
