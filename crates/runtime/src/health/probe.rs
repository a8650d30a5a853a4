//! The subcommand `health`: asks the service that runs on this host. Containers without a shell
//! are checked by it.

use std::{error::Error as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use tonic::{Response, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use crate::{
    process::{self, Options},
    settings::{self, InvalidSettings, Section},
    transport::{Link, LinkError, SharedConnector, TcpConnector, on_this_host},
};

/// The whole check takes no longer: less than what those who run it wait for.
const LIMIT: Duration = Duration::from_secs(2);

/// The subcommands of a service's program; without one it serves.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Ask the one that runs on this host, with the same settings, whether it serves.
    Health(Args),
}

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 it serves, 1 it does not, 2 the settings are to be mended, \
    3 it is not reachable.")]
pub struct Args {
    /// Only this: `live` says that the process turns, whatever it needs from others
    /// [default: whether it is ready for work].
    #[arg(value_name = "SERVICE", default_value = "", hide_default_value = true)]
    service: String,
}

/// Why it does not serve, as far as that is known.
#[derive(Debug, thiserror::Error)]
enum Unhealthy {
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error("it listens at a port that the system chose; give it one of its own to ask it")]
    AnyPort,
    #[error("it does not serve")]
    NotServing,
    #[error("{} ({:?})", .0.message(), .0.code())]
    Refused(Box<Status>),
    #[error("not reachable at {0}: {1}")]
    Unreachable(SocketAddr, String),
}

/// Asks the service whose settings these are, `listen` being where it serves gRPC. What is
/// wrong is told on standard error, and by the exit code.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the program of a subcommand")]
pub async fn run<S: Section>(
    options: &Options,
    args: &Args,
    listen: impl FnOnce(&S) -> SocketAddr,
) -> ExitCode {
    match serves(options, args, listen).await {
        Ok(()) => {
            println!("serving");
            ExitCode::SUCCESS
        }
        Err(unhealthy) => {
            eprintln!("{}: {unhealthy}", S::NAME);
            unhealthy.exit_code()
        }
    }
}

/// One question of grpc.health.v1.
///
/// # Errors
/// As it is answered; NOT_FOUND for a name that is not known there.
pub async fn check(
    channel: Channel,
    service: &str,
) -> Result<Response<HealthCheckResponse>, Status> {
    HealthClient::new(channel).check(HealthCheckRequest { service: service.to_owned() }).await
}

async fn serves<S: Section>(
    options: &Options,
    args: &Args,
    listen: impl FnOnce(&S) -> SocketAddr,
) -> Result<(), Unhealthy> {
    let address = asked_at(listen(&settings::load(options.config())?))?;
    let answer = tokio::time::timeout(LIMIT, ask(address, &args.service)).await;
    let silent = |_| Unhealthy::Unreachable(address, format!("no answer within {LIMIT:?}"));
    match answer.map_err(silent)?? {
        ServingStatus::Serving => Ok(()),
        _ => Err(Unhealthy::NotServing),
    }
}

/// Where the service that listens at `address` is asked from its own host.
fn asked_at(address: SocketAddr) -> Result<SocketAddr, Unhealthy> {
    if address.port() == 0 { Err(Unhealthy::AnyPort) } else { Ok(on_this_host(address)) }
}

async fn ask(address: SocketAddr, service: &str) -> Result<ServingStatus, Unhealthy> {
    let connector: SharedConnector = Arc::new(TcpConnector);
    let nobody = |error: LinkError| Unhealthy::Unreachable(address, error.to_string());
    let link = Link::connect(&connector, &address.to_string(), LIMIT).await.map_err(nobody)?;
    match check(link.channel(), service).await {
        Ok(answer) => Ok(answer.get_ref().status()),
        // What the service itself says has no source; a connection that broke has.
        Err(status) if status.source().is_some() => {
            Err(Unhealthy::Unreachable(address, status.message().to_owned()))
        }
        Err(status) => Err(Unhealthy::Refused(Box::new(status))),
    }
}

impl Unhealthy {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotServing | Self::Refused(_) => ExitCode::FAILURE,
            Self::Settings(_) | Self::AnyPort => ExitCode::from(process::SETTINGS),
            Self::Unreachable(..) => ExitCode::from(process::UNREACHABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(listen: &str) -> Option<String> {
        asked_at(listen.parse().unwrap()).ok().map(|address| address.to_string())
    }

    #[test]
    fn who_listens_everywhere_is_asked_by_loopback() {
        assert_eq!(asked("0.0.0.0:50051").as_deref(), Some("127.0.0.1:50051"));
        assert_eq!(asked("[::]:50051").as_deref(), Some("[::1]:50051"));
        assert_eq!(asked("10.0.0.7:50051").as_deref(), Some("10.0.0.7:50051"));
    }

    #[test]
    fn a_port_that_nobody_knows_is_not_asked() {
        assert_eq!(asked("127.0.0.1:0"), None);
    }
}
