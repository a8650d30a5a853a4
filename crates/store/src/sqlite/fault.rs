//! What SQLite's errors mean to us. Its own messages are left out: some of them quote.

use rusqlite::{Error, ErrorCode, ffi};

use crate::error::StoreError;

/// An error, and whether the store can go on after it.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) error: StoreError,
    /// What is on disk is no longer known: only a new start from the file helps.
    pub(super) fatal: bool,
}

impl Fault {
    /// While a transaction was being made: nothing of it is on disk.
    pub(super) fn of(error: &Error) -> Self {
        let fatal = matches!(
            code(error).map(|error| error.code),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
            )
        );
        Self { error: describe(error), fatal }
    }

    /// While it was being committed. A full disk is refused before the commit's record is
    /// whole, so it did not happen; after anything else (a failed sync) it may have.
    pub(super) fn of_commit(error: &Error) -> Self {
        let error = describe(error);
        Self { fatal: error != StoreError::Full, error }
    }
}

/// In words, without anything that was bound or stored.
pub(super) fn describe(error: &Error) -> StoreError {
    match code(error) {
        Some(error) if error.code == ErrorCode::DiskFull => StoreError::Full,
        Some(error) => {
            let number = error.extended_code;
            StoreError::Failed(format!("{} (SQLite error {number})", ffi::code_to_str(number)))
        }
        None => StoreError::Failed(name(error).to_owned()),
    }
}

const fn code(error: &Error) -> Option<&ffi::Error> {
    match error {
        Error::SqliteFailure(error, _) | Error::SqlInputError { error, .. } => Some(error),
        _ => None,
    }
}

const fn name(error: &Error) -> &'static str {
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => "a row holds a value that this version does not know",
        Error::InvalidPath(_) | Error::NulError(_) => "the path cannot be used",
        Error::ToSqlConversionFailure(_) => "a value cannot be stored",
        _ => "an unexpected error of the SQLite library",
    }
}
