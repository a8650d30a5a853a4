//! The supervisor as a process: settings, store, port, signals, exit code.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use taskfleet_core::Timestamp;
use taskfleet_runtime::{
    Clock, Entropy, files, settings, signals, telemetry,
    transport::{Listener, TcpConnector, TcpListener},
};
use taskfleet_store::{SqliteOptions, SqliteStore};

use crate::{Parts, Settings, Supervisor};

/// How a supervisor process is run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The TOML file with settings.
    pub config: Option<PathBuf>,
    /// Stop when standard input ends, and say on standard output where it listens: for a
    /// process that is started by another program.
    pub exit_with_parent: bool,
}

/// Runs a supervisor until it is told to stop. Errors are told on standard error.
pub async fn run_process(options: RunOptions) -> ExitCode {
    telemetry::init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: RunOptions) -> anyhow::Result<()> {
    let settings: Settings = settings::load("supervisor", options.config.as_deref())?;
    if let Err(error) = files::raise_open_file_limit() {
        tracing::warn!(%error, "cannot raise the limit of open files; many watchers may not fit");
    }
    let listener = TcpListener::bind(settings.grpc_listen).await?;
    let address = listener.local_addr();
    let (clock, entropy) = (Clock::system(), Entropy::from_os());
    let store = SqliteStore::open(SqliteOptions {
        path: settings.store.clone(),
        now: Timestamp::from_unix_millis(clock.unix_millis()),
        random: entropy.bytes(),
    })?;
    let parts = Parts {
        listener: Box::new(listener),
        connector: Arc::new(TcpConnector),
        store: Arc::new(store),
        clock,
        entropy,
    };
    let supervisor = Supervisor::new(settings, parts)?;
    tracing::info!(%address, "supervisor listens");
    if options.exit_with_parent {
        announce(address);
    }
    supervisor.run(told_to_stop(options.exit_with_parent)).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the parent process reads where this one listens")]
fn announce(address: std::net::SocketAddr) {
    println!("listening on {address}");
}

async fn told_to_stop(with_parent: bool) {
    let parent_gone = async {
        if with_parent {
            signals::parent_gone().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        stopped = signals::stop_requested() => {
            if let Err(error) = stopped {
                tracing::error!(%error, "signals cannot be listened for");
            }
        }
        () = parent_gone => {}
    }
}
