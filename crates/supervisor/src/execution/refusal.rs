//! What a status from ProcessTask means: the table of the protocol.

use taskfleet_core::{
    failure::{Delivery, FailureKind},
    outcome::Outcome,
    words::without_keys,
};
use taskfleet_proto::says_not_served;
use tonic::{Code, Status};

use super::{Ending, Execution, StreamEnd, words};

impl Execution {
    /// A status before the first message, of a request that only attached (`attaching`) or
    /// was to start the execution.
    pub(super) fn refused(&self, status: &Status, attaching: bool) -> StreamEnd {
        match status.code() {
            // Nobody but the worker itself can say that nothing was started.
            _ if is_transport(status) => StreamEnd::Broken,
            _ if self.is_anothers(status) => StreamEnd::Known(match attaching {
                true => Ending::Left,
                false => Ending::TakenBack,
            }),
            // Another incarnation.
            Code::FailedPrecondition if attaching => StreamEnd::Known(Ending::Lost),
            Code::ResourceExhausted | Code::Unavailable | Code::OutOfRange => {
                self.member.rest(&self.engine);
                StreamEnd::Known(Ending::NotStarted)
            }
            Code::Unimplemented => {
                self.cannot(status);
                StreamEnd::Known(Ending::NotStarted)
            }
            Code::FailedPrecondition => {
                self.member.rest(&self.engine);
                StreamEnd::Known(Ending::NotStarted)
            }
            // Not held, or over: it never starts there.
            Code::NotFound | Code::Aborted => StreamEnd::Known(Ending::NotStarted),
            Code::InvalidArgument => {
                failed(FailureKind::InvalidRequest, Delivery::NotSent, status, self.key())
            }
            _ => failed(FailureKind::Internal, Delivery::Sent, status, self.key()),
        }
    }

    /// Another supervisor has taken the worker over. What it holds of ours it still holds, and
    /// what it does not it never starts for us.
    fn is_anothers(&self, status: &Status) -> bool {
        let superseded = self.engine.is_superseded(&self.member.name(), status);
        let other_store = says_not_served(status);
        if other_store {
            self.member.serves_another_store(&self.engine);
        }
        superseded || other_store
    }

    /// The worker does not know what the task needs, or knows no tasks at all.
    pub(super) fn cannot(&self, status: &Status) {
        tracing::warn!(
            worker = self.member.name(),
            message = without_keys(status.message(), self.key()),
            "a worker does not know what a task needs"
        );
        self.member.not_understood(&self.engine);
    }
}

/// A status after the first message; `key` is kept out of its words.
pub(super) fn after_first(status: &Status, key: Option<&str>) -> StreamEnd {
    match status.code() {
        _ if is_transport(status) => StreamEnd::Broken,
        // An older attach of ours arrived late and took its place: attach again.
        Code::Aborted => StreamEnd::Broken,
        _ => failed(FailureKind::Internal, Delivery::Sent, status, key),
    }
}

/// Made here because the connection or the stream broke, rather than sent by the worker.
pub(super) fn is_transport(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

fn failed(kind: FailureKind, delivery: Delivery, status: &Status, key: Option<&str>) -> StreamEnd {
    let message = format!("the worker answered {:?}: {}", status.code(), status.message());
    let outcome = Outcome::failed(kind, delivery, words::clean(&message, key));
    StreamEnd::Known(Ending::Ended(outcome))
}

#[cfg(test)]
mod tests {
    use taskfleet_core::outcome::End;

    use super::*;

    #[test]
    fn a_status_that_quotes_the_key_is_passed_on_without_it() {
        let status = Status::internal("no: hunter2 and sk-abc were refused");
        let StreamEnd::Known(Ending::Ended(outcome)) = after_first(&status, Some("hunter2")) else {
            panic!("it has ended")
        };
        let End::Failed(failure) = outcome.end else { panic!("it has failed") };
        assert_eq!(
            failure.message,
            "the worker answered Internal: no: [key] and [key] were refused"
        );
    }
}
