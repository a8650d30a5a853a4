//! BackupStore's one field, and what can go wrong with it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use taskfleet_proto::FieldError;
use taskfleet_store::BackupError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// When to ask again while another copy is written: copies take seconds to minutes.
const RETRY_WHEN_BUSY: Duration = Duration::from_secs(30);

pub(super) fn read_path(path: &str) -> Result<PathBuf, FieldError> {
    let problem = match Path::new(path) {
        _ if path.is_empty() => "is empty: name a file that does not exist yet",
        _ if path.contains('\0') => "holds a zero byte: no file can be called so",
        relative if !relative.is_absolute() => {
            "must be an absolute path: it lies on the supervisor's machine"
        }
        nameless if nameless.file_name().is_none() || path.ends_with('/') => {
            "must end with the name of a file"
        }
        file => return Ok(file.to_owned()),
    };
    Err(FieldError::new("path", problem))
}

pub(super) fn status(error: &BackupError) -> Status {
    let code = match error {
        BackupError::Exists => Code::AlreadyExists,
        BackupError::NoDirectory | BackupError::NoFile => Code::FailedPrecondition,
        BackupError::Denied => Code::PermissionDenied,
        BackupError::Full => Code::ResourceExhausted,
        BackupError::Failed(_) => Code::Unavailable,
        BackupError::Busy => {
            let details = ErrorDetails::with_retry_info(Some(RETRY_WHEN_BUSY));
            return Status::with_error_details(Code::ResourceExhausted, error.to_string(), details);
        }
        BackupError::Store(error) => return super::status::of_store(error),
    };
    FieldError::status_as(code, &[FieldError::new("path", error)])
}
