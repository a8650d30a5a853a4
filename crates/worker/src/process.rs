//! The worker as a process of its own.

use std::path::PathBuf;

use taskfleet_runtime::{files, signals, telemetry};

use crate::{Error, Settings, Stop, Worker};

/// How the process is run; the rest is settings.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RunOptions {
    /// A TOML file; its section `[worker]` is read.
    #[arg(long, env = "TASKFLEET_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// End, quickly, when standard input does, for whoever started this is then gone; and
    /// say on standard output where this listens.
    #[arg(long)]
    pub exit_with_parent: bool,
}

/// Runs a worker until SIGTERM or SIGINT, with settings from file and environment.
///
/// # Errors
/// See [`Error`]; [`Error::exit_code`] says how the process should end.
pub async fn run_process(options: RunOptions) -> Result<(), Error> {
    telemetry::init();
    // Refused when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::load(options.config.as_deref())?;
    if let Err(error) = files::raise_open_file_limit() {
        tracing::warn!(%error, "cannot raise the limit of open files; many slots may not fit");
    }
    let (slots, supervisor) = (settings.slots, settings.supervisor.clone());
    let (api, has_key) = (settings.api.host(), settings.api.key.is_some());
    let worker = Worker::bind_tcp(settings).await?;
    let (grpc, boot_id) = (worker.local_addr(), worker.boot_id());
    tracing::info!(%grpc, %boot_id, slots, supervisor, api, has_key, "worker listens");
    if options.exit_with_parent {
        announce(grpc);
    }
    worker.run(asked_to_stop(options.exit_with_parent)).await?;
    tracing::info!("worker stopped");
    Ok(())
}

async fn asked_to_stop(with_parent: bool) -> Stop {
    let parent_gone = async {
        if !with_parent {
            std::future::pending::<()>().await;
        }
        signals::parent_gone().await;
    };
    tokio::select! {
        asked = signals::stop_requested() => {
            if let Err(error) = asked {
                tracing::error!(%error, "cannot listen for signals");
            }
            Stop::Clean
        }
        () = parent_gone => Stop::Quick,
    }
}

#[expect(clippy::print_stdout, reason = "the parent process reads where this one listens")]
fn announce(address: std::net::SocketAddr) {
    println!("listening on {address}");
}
