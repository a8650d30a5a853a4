//! The supervisor as a process: settings, store, port.

use std::{ffi::OsString, io, path::Path, process::ExitCode, sync::Arc};

use secrecy::SecretString;
use taskfleet_core::Timestamp;
use taskfleet_runtime::{
    Clock, Entropy, process, settings,
    transport::{Listener, TcpConnector, TcpListener},
};
use taskfleet_store::{SqliteOptions, SqliteStore};

use crate::{Error, Parts, Settings, Supervisor};

/// Runs a supervisor until it is told to stop. Errors are told on standard error; the exit
/// code is 2 when the settings are to be mended, 1 when another start may help.
pub async fn run_process(options: process::Options, worker: WorkerProgram) -> ExitCode {
    process::run("supervisor", options, async |options| run(options, worker).await).await
}

/// The program that local workers run, unless the settings name one.
#[derive(Debug, Clone, Copy)]
pub enum WorkerProgram {
    /// `taskfleet-worker` beside this program.
    Beside,
    /// This program, with an argument that makes a worker of it.
    This(&'static str),
}

/// Looked up once, at the start: the program's file may be replaced while this runs.
fn worker_command(
    settings: &Settings,
    config: Option<&Path>,
    worker: WorkerProgram,
) -> io::Result<Vec<OsString>> {
    let this = std::env::current_exe()?;
    let mut command = match (&settings.local_worker_program, worker) {
        (Some(program), _) => vec![program.into()],
        (None, WorkerProgram::Beside) => vec![this.with_file_name("taskfleet-worker").into()],
        (None, WorkerProgram::This(argument)) => vec![this.into(), argument.into()],
    };
    if let Some(config) = config {
        command.extend(["--config".into(), std::path::absolute(config)?.into()]);
    }
    std::fs::metadata(&command[0]).map(|_| command)
}

/// An empty variable is unset.
fn own_key() -> Option<SecretString> {
    let key = std::env::var("OPENAI_API_KEY").ok()?;
    Some(key.trim()).filter(|key| !key.is_empty()).map(SecretString::from)
}

async fn run(options: process::Options, worker: WorkerProgram) -> Result<(), Error> {
    let mut settings: Settings = settings::load(options.config())?;
    if settings.hand_over_api_key {
        settings.api_key = own_key();
    }
    if settings.local_workers > 0 {
        let command = worker_command(&settings, options.config(), worker);
        settings.local_worker_command = command.map_err(|error| {
            Error::Settings(format!(
                "local_workers is {}, but the worker's program is not there ({error}): set \
                 local_worker_program",
                settings.local_workers
            ))
        })?;
    }
    tracing::debug!(?settings, "settings");
    let path = settings.store.clone();
    let store_file = settings.store.display().to_string();
    let listener = TcpListener::bind_for("grpc_listen", settings.grpc_listen).await;
    let listener = listener.map_err(Error::Listen)?;
    let teller = TcpListener::bind_for("http_listen", settings.http_listen).await;
    let teller = teller.map_err(Error::Listen)?;
    let (grpc, http) = (listener.local_addr(), teller.local_addr());
    let (clock, entropy) = (Clock::system(), Entropy::from_os());
    let store = SqliteStore::open(SqliteOptions {
        path: settings.store.clone(),
        now: Timestamp::from_unix_millis(clock.unix_millis()),
        random: entropy.bytes(),
    })?;
    let parts = Parts {
        listener: Box::new(listener),
        http: Some(Box::new(teller)),
        connector: Arc::new(TcpConnector),
        store: Arc::new(store),
        clock,
        entropy,
    };
    let supervisor = Supervisor::new(settings, parts)?;
    let config = options.config().map(|file| tracing::field::display(file.display()));
    tracing::info!(%grpc, %http, store = store_file, config, "supervisor listens");
    options.announce(grpc);
    let stop = async {
        options.told_to_stop().await;
    };
    supervisor.run(stop).await.map_err(|error| match error {
        Error::Store(error) => Error::StoreInUse { path, error },
        other => other,
    })
}
