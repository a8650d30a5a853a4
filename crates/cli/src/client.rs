//! The one place that connects to a supervisor.

use std::{future::Future, time::Duration};

use taskfleet_proto::v1::{
    GetStatsRequest, GetStatsResponse, fleet_service_client::FleetServiceClient,
    task_service_client::TaskServiceClient,
};
use taskfleet_runtime::transport::MAX_MESSAGE_BYTES;
use tonic::{
    Code, Response, Status,
    transport::{Channel, Endpoint},
};

use crate::{
    failure::{self, Failure},
    stranger,
};

/// A machine that does not answer within this is treated as gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A stopped supervisor takes connections and never answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon a stream learns that its supervisor has stopped turning.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// A connection to a supervisor, made again by itself when it breaks.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: String,
    channel: Channel,
}

impl Client {
    /// Connects to `address` (host:port).
    ///
    /// # Errors
    /// [`Failure::Unreachable`].
    pub(crate) async fn connect(address: &str) -> Result<Self, Failure> {
        let authority = address.trim_start_matches("http://");
        let unreachable = |cause| Failure::Unreachable { address: authority.to_owned(), cause };
        let endpoint = Endpoint::from_shared(format!("http://{authority}"))
            .map_err(|_| unreachable("this is not host:port".to_owned()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .tcp_nodelay(true);
        let channel = endpoint.connect().await;
        let channel = channel.map_err(|error| unreachable(failure::root_cause(&error)))?;
        Ok(Self { address: authority.to_owned(), channel })
    }

    /// Where it is connected to.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The connection, for services that are not ours.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The supervisor's `TaskService`.
    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// The supervisor's `FleetService`.
    pub(crate) fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Waits for a call's answer, in bounded time; for a stream, until it is open.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when none came, [`Failure::Refused`] when it was an error.
    pub(crate) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        self.answer_within(ANSWER_TIMEOUT, call).await
    }

    /// As [`Client::answer`], for a call that may take up to `limit`.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub(crate) async fn answer_within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.told(status).await),
            Err(_) => Err(self.unreachable("it does not answer".to_owned())),
        }
    }

    /// What the status of a call means; looks who is there when none of ours answered.
    async fn told(&self, status: Status) -> Failure {
        match self.failure(status) {
            Failure::Refused(status) if status.code() == Code::Unimplemented => {
                self.stranger(stranger::who_is_it(self.channel.clone()).await)
            }
            Failure::Unreachable { .. } if stranger::is_not_http2(&self.address).await => {
                self.stranger(stranger::NOT_GRPC)
            }
            failure => failure,
        }
    }

    /// Whether a supervisor answers there: a stream of work should not be begun, and be waited
    /// with, where none ever was. One that is stopping answers, and its successor comes.
    ///
    /// # Errors
    /// As [`Client::answer`].
    pub(crate) async fn greet(&self) -> Result<(), Failure> {
        let greeting = async {
            match self.fleet().get_stats(GetStatsRequest {}).await {
                Err(status) if failure::is_own_word(&status) => {
                    Ok(Response::new(GetStatsResponse::default()))
                }
                answer => answer,
            }
        };
        self.answer(greeting).await.map(|_| ())
    }

    /// What a status of a call or stream means.
    pub(crate) fn failure(&self, status: Status) -> Failure {
        if stranger::is_not_grpc(&status) {
            return self.stranger(stranger::NOT_GRPC);
        }
        if failure::is_break(&status) {
            return self.unreachable(failure::break_cause(&status));
        }
        Failure::Refused(Box::new(status))
    }

    /// There is something else.
    pub(crate) fn stranger(&self, what: &'static str) -> Failure {
        Failure::Stranger { address: self.address.clone(), what }
    }

    /// There was no answer.
    pub(crate) fn unreachable(&self, cause: String) -> Failure {
        Failure::Unreachable { address: self.address.clone(), cause }
    }
}
