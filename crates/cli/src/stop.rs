//! Being told to end while tasks go on elsewhere.

use std::{io, process::ExitCode};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell shows for a command that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Ctrl-C, or being asked to end.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// From now on neither ends the process by itself.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub(crate) fn listen() -> io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    /// Returns when one of them comes.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// The exit code of a command that ends for it.
    pub(crate) fn exit_code() -> ExitCode {
        ExitCode::from(INTERRUPTED)
    }
}
