//! Why a worker cannot start or go on.

use std::io;

use taskfleet_runtime::{process, settings::InvalidSettings};

/// Why a worker could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be read.
    #[error("settings: {0}")]
    Unreadable(#[from] InvalidSettings),
    /// A setting makes no sense.
    #[error("settings: {key} {problem}")]
    Setting {
        /// Its name.
        key: &'static str,
        /// What is wrong and what would be right. Never shows a key or a token.
        problem: String,
    },
    /// The port cannot be had.
    #[error("cannot listen: {0}")]
    Listen(io::Error),
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client: {0}")]
    HttpClient(reqwest::Error),
    /// The gRPC server failed as a whole.
    #[error("cannot serve: {0}")]
    Serve(#[from] tonic::transport::Error),
    /// A part without which the worker cannot go on has ended.
    #[error("{0} ended and should not have")]
    Part(&'static str),
}

impl Error {
    pub(crate) fn setting(key: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting { key, problem: problem.into() }
    }
}

impl process::Failure for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable(_) | Self::Setting { .. } => 2,
            _ => 1,
        }
    }
}
