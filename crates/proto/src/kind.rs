//! Enumerations, domain to wire and back.

use taskfleet_core::{
    failure::{Delivery, FailureKind},
    task::TaskState,
};

use crate::{v1, worker};

/// `pairs!(Domain => Wire { A = B, … })`: `From` to the wire, and `known` back, which is
/// `None` for "unspecified" and for values that a newer peer may send.
macro_rules! pairs {
    ($domain:ty => $wire:ty { $($from:ident = $to:ident),* $(,)? }) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $(<$domain>::$from => Self::$to),* }
            }
        }

        impl $wire {
            /// The domain's value; `None` when it is unspecified.
            #[must_use]
            pub fn known(self) -> Option<$domain> {
                match self { $(Self::$to => Some(<$domain>::$from),)* _ => None }
            }
        }
    };
}

pairs!(FailureKind => worker::FailureKind {
    InvalidRequest = InvalidRequest,
    Authentication = Authentication,
    QuotaExhausted = QuotaExhausted,
    RateLimited = RateLimited,
    Overloaded = Overloaded,
    ApiError = ApiError,
    Connection = Connection,
    Timeout = Timeout,
    BadResponse = BadResponse,
    ContentFiltered = ContentFiltered,
    WorkerLost = WorkerLost,
    Cancelled = Cancelled,
    DeadlineExceeded = DeadlineExceeded,
    Internal = Internal,
});

pairs!(Delivery => worker::Delivery {
    NotSent = NotSent,
    Sent = Sent,
    ResponseStarted = ResponseStarted,
    Answered = Answered,
});

pairs!(TaskState => v1::TaskState {
    Queued = Queued,
    Running = Running,
    Completed = Completed,
    Failed = Failed,
    Cancelled = Cancelled,
});
