//! How the run's clients reach a supervisor that comes and goes.

use std::time::Duration;

use taskfleet_proto::v1::{
    fleet_service_client::FleetServiceClient, task_service_client::TaskServiceClient,
};
use taskfleet_runtime::transport::MAX_MESSAGE_BYTES;
use tokio::time::{sleep, timeout};
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};

/// A stopped supervisor takes connections and never answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
/// The longest absence of a planned supervisor is some seconds.
const TRIES: u32 = 300;

/// A connection to the supervisor, made again by itself. Clones share it.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
}

impl Client {
    /// One for `address`, host:port.
    pub(crate) fn new(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let endpoint = endpoint.connect_timeout(Duration::from_secs(1)).tcp_nodelay(true);
        Self { channel: endpoint.connect_lazy() }
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel.clone())
    }

    /// Asks until there is an answer: no answer, a broken connection and UNAVAILABLE mean
    /// unknown.
    ///
    /// # Errors
    /// A decision of the supervisor, or that it was away all the time.
    pub(crate) async fn ask<T, F>(&self, mut call: impl FnMut(Self) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        for _ in 0..TRIES {
            match timeout(ANSWER_WITHIN, call(self.clone())).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) if !is_break(&status) => return Err(status),
                Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
            }
        }
        Err(Status::unavailable("the supervisor did not come back"))
    }
}

/// Whether a status tells of a broken connection or a supervisor that stops, rather than of a
/// decision: a status that the peer sent has no source.
pub(crate) fn is_break(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}
