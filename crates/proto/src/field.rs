//! A field that does not hold what it should.

use std::{fmt::Display, str::FromStr};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Which field is wrong, and what would be right. Never shows the value: it may be a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// Its path, such as `tasks[3].content`.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Violations that are told one by one.
const MAX_VIOLATIONS: usize = 25;

impl FieldError {
    /// An error of this field.
    pub fn new(field: impl Into<String>, problem: impl Display) -> Self {
        Self { field: field.into(), problem: problem.to_string() }
    }

    /// The same error, of a field inside `parent`.
    #[must_use]
    pub fn within(self, parent: &str) -> Self {
        Self { field: format!("{parent}.{}", self.field), ..self }
    }

    /// INVALID_ARGUMENT with one google.rpc.BadRequest violation for each error.
    #[must_use]
    pub fn status(errors: &[Self]) -> Status {
        Self::status_as(Code::InvalidArgument, errors)
    }

    /// Like [`FieldError::status`], with another code.
    #[must_use]
    pub fn status_as(code: Code, errors: &[Self]) -> Status {
        let mut details = ErrorDetails::new();
        // A status travels in a header, which peers bound.
        for error in errors.iter().take(MAX_VIOLATIONS) {
            details.add_bad_request_violation(&error.field, &error.problem);
        }
        let message = match errors {
            [] => "invalid request".to_owned(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        };
        Status::with_error_details(code, message, details)
    }
}

impl From<FieldError> for Status {
    fn from(error: FieldError) -> Self {
        FieldError::status(&[error])
    }
}

/// The id that stands in `field`.
///
/// # Errors
/// When it is empty or not an id.
pub fn parse_id<T: FromStr>(field: &str, text: &str) -> Result<T, FieldError>
where
    T::Err: Display,
{
    text.parse().map_err(|error| FieldError::new(field, error))
}
