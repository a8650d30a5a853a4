//! A service as a process: how it is started, told to stop, and how it ends.

use std::{ffi::OsString, fmt, net::SocketAddr, path::Path, process::ExitCode};

use crate::{files, memory, signals, telemetry};

/// How the process of a service is run; the rest is settings.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// A TOML file with settings; the environment goes over it.
    #[arg(long, env = "TASKFLEET_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// Stop, quickly, when standard input ends, for whoever started this is then gone; and say
    /// on standard output where this listens.
    #[arg(long, hide = true)]
    exit_with_parent: bool,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A signal asked for it: what runs may end within the grace.
    Clean,
    /// Whoever it was for is gone: at once.
    Quick,
}

/// The exit code that says that the settings are to be mended.
pub(crate) const SETTINGS: u8 = 2;
/// The exit code that says that nobody answers.
pub const UNREACHABLE: u8 = 3;

/// Why a service could not start, or had to end.
pub trait Failure: fmt::Display {
    /// The process's exit code: 2 when the settings are to be mended, 1 when another start may
    /// help.
    fn exit_code(&self) -> u8;
}

/// Runs a service's process to its end: `service` returns when it was told to stop or cannot
/// go on. An error is told on standard error.
pub async fn run<E: Failure>(
    name: &'static str,
    options: Options,
    service: impl AsyncFnOnce(Options) -> Result<(), E>,
) -> ExitCode {
    let telemetry = match telemetry::start(name) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            tracing::error!(%error, "{name} failed");
            return ExitCode::from(SETTINGS);
        }
    };
    if let Err(error) = files::raise_open_file_limit() {
        tracing::warn!(%error, "cannot raise the limit of open files; many calls may not fit");
    }
    if let Err(error) = memory::keep_small_pages() {
        tracing::debug!(%error, "huge pages stay in use; more memory is resident");
    }
    let ended = service(options).await;
    telemetry.flush().await;
    match ended {
        Ok(()) => {
            tracing::info!("{name} stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "{name} failed");
            ExitCode::from(error.exit_code())
        }
    }
}

impl Options {
    /// The file with settings. An empty variable is unset here too.
    #[must_use]
    pub fn config(&self) -> Option<&Path> {
        self.config.as_ref().filter(|file| !file.is_empty()).map(Path::new)
    }

    /// Tells whoever started this process where it listens, if that is wanted.
    #[expect(clippy::print_stdout, reason = "the parent process reads where this one listens")]
    pub fn announce(&self, address: SocketAddr) {
        if self.exit_with_parent {
            println!("listening on {address}");
        }
    }

    /// Waits for SIGTERM, SIGINT or the parent's end.
    pub async fn told_to_stop(&self) -> Stop {
        told_to_stop(self.exit_with_parent).await
    }
}

/// Waits for SIGTERM, SIGINT or, where that is wanted, the parent's end.
pub async fn told_to_stop(with_parent: bool) -> Stop {
    tokio::select! {
        asked = signals::stop_requested() => {
            if let Err(error) = asked {
                tracing::error!(%error, "cannot listen for signals");
            }
            Stop::Clean
        }
        () = signals::parent_gone(), if with_parent => Stop::Quick,
    }
}
