//! A refusal, as gRPC says it.

use taskfleet_core::{StoreId, execution::Refused};
use taskfleet_proto::{not_served, superseded};
use tonic::{Code, Status};

/// The status of a refusal to a supervisor of `store`, as `worker.proto` and
/// `worker_control.proto` document them. None of them started a call.
pub(crate) fn refused(why: Refused, store: StoreId) -> Status {
    match why {
        Refused::Superseded { by } => superseded(store, by, &why.to_string()),
        Refused::NotServed => not_served(&why.to_string()),
        other => plain(other),
    }
}

/// The status of a refusal to a client that knows no stores.
pub(crate) fn plain(why: Refused) -> Status {
    let code = match why {
        Refused::Superseded { .. } | Refused::NotServed => Code::FailedPrecondition,
        Refused::Ended => Code::Aborted,
        Refused::NotHeld => Code::NotFound,
        Refused::NoSlot | Refused::OutboxFull => Code::ResourceExhausted,
        Refused::Draining => Code::Unavailable,
    };
    Status::new(code, why.to_string())
}
