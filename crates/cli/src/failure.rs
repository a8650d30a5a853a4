//! What can go wrong between a person and a supervisor, in words, and the exit codes.

use std::{error::Error, io, process::ExitCode, time::Duration};

use taskfleet_runtime::process::UNREACHABLE;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::output;

/// Wrong usage, as clap has it.
const USAGE: u8 = 2;

/// The command line, or a file that it names, is wrong. Nothing has been done.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// What a supervisor said or why it said nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There was no answer.
    #[error(
        "the supervisor at {address} is not reachable: {cause}\n\
         Start one with `taskfleet dev` or `taskfleet-supervisor`, or name another with --address."
    )]
    Unreachable { address: String, cause: String },
    /// Something else listens there.
    #[error(
        "what listens at {address} is no taskfleet supervisor: {what}. Name one with --address."
    )]
    Stranger { address: String, what: &'static str },
    /// It was asked to accept a task and never answered.
    #[error(
        "the supervisor at {address} did not answer within {}: {cause}\n\
         Whether it took the task is unknown. Asking again with --idempotency-key {key} \
         cannot make the task twice.", humantime::format_duration(*patience)
    )]
    Unknown { address: String, cause: String, key: String, patience: Duration },
    /// It answered with an error.
    #[error("{}", in_words(.0))]
    Refused(Box<Status>),
}

/// Says what went wrong; the exit code for it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        // `taskfleet … | head` has seen enough: no failure, and nothing to say.
        return ExitCode::SUCCESS;
    }
    output::talk(&format!("taskfleet: {error:#}"));
    if error.is::<Usage>() {
        return ExitCode::from(USAGE);
    }
    match error.downcast_ref::<Failure>() {
        Some(Failure::Unreachable { .. } | Failure::Unknown { .. } | Failure::Stranger { .. }) => {
            ExitCode::from(UNREACHABLE)
        }
        Some(Failure::Refused(status)) if status.code() == Code::InvalidArgument => {
            ExitCode::from(USAGE)
        }
        _ => ExitCode::FAILURE,
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

/// Whether a status tells of a broken or missing connection rather than of a decision: a
/// status that the peer sent has no source.
pub(crate) fn is_break(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) || status.source().is_some()
}

/// Whether the peer itself said that it cannot serve now: it is there, and stopping.
pub(crate) fn is_own_word(status: &Status) -> bool {
    status.code() == Code::Unavailable && status.source().is_none()
}

/// The innermost cause of an error, without the operating system's number.
pub(crate) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let words = cause.to_string();
    words.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Why there was no answer, from a status for which [`is_break`].
pub(crate) fn break_cause(status: &Status) -> String {
    match status.source() {
        Some(source) => root_cause(source),
        None => status.message().to_owned(),
    }
}

/// A refusal, with a line for each field that is wrong.
fn in_words(status: &Status) -> String {
    let code = code_in_words(status.code());
    let violations = status.get_details_bad_request().map(|details| details.field_violations);
    let violations = violations.unwrap_or_default();
    if violations.is_empty() {
        return format!("{code}: {}", status.message());
    }
    let lines = violations.iter().map(|field| format!("\n  {} {}", field.field, field.description));
    format!("{code}:{}", lines.collect::<String>())
}

fn code_in_words(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "the supervisor does not accept this",
        Code::NotFound => "not found",
        Code::AlreadyExists => "already exists",
        Code::ResourceExhausted => "the supervisor is full",
        Code::FailedPrecondition => "not possible now",
        Code::PermissionDenied | Code::Unauthenticated => "not allowed",
        Code::Unimplemented => "this supervisor cannot do that",
        Code::OutOfRange => "too large",
        _ => "the supervisor failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskfleet_proto::FieldError;

    #[test]
    fn refusals_name_every_field() {
        let errors = [
            FieldError::new("content", "is empty: a prompt is needed"),
            FieldError::new("priority", "must be from -100 (last) to 100 (first)"),
        ];
        let words = Failure::Refused(Box::new(FieldError::status(&errors))).to_string();
        assert_eq!(
            words,
            "the supervisor does not accept this:\n  content is empty: a prompt is needed\n  \
             priority must be from -100 (last) to 100 (first)"
        );
    }

    #[test]
    fn a_decision_is_no_break() {
        assert!(is_break(&Status::unavailable("stopping")));
        assert!(!is_break(&Status::internal("a bug")));
        assert!(is_break(&Status::from_error(Box::new(io::Error::other("reset")))));
    }
}
