//! An OpenAI-compatible API over HTTP.
//!
//! async-openai makes the requests and reads the stream of events; what stands between it and
//! the network is ours ([`once`]): it sends exactly once, and sees status, headers and raw body
//! first. For by itself the library loses the status of odd errors, repeats calls, takes a cut
//! stream for a whole one, and writes what it cannot read into the log.

mod body;
mod config;
mod error_body;
mod events;
mod exchange;
mod json;
mod once;
mod rate_limits;
mod retry_after;
mod streamed;
mod upload;
mod usage;
mod whole;
mod words;

use std::{sync::Arc, time::Duration};

use async_openai::Client;
use async_trait::async_trait;
use futures::StreamExt;
use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use taskfleet_core::{
    outcome::Failure,
    task::{Endpoint, Request, Work},
};
use taskfleet_runtime::Clock;

use crate::{
    ApiSettings, Error,
    api::{Answer, ApiCall, ModelApi, Progress},
};
use config::{CallConfig, Provider};
use exchange::{Exchange, Shape};
use once::SendOnce;
use streamed::StreamedAnswer;

/// To connect, TLS included. A host that takes longer is as good as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Unused connections are closed before most servers would close them: a request that meets a
/// closing connection counts as sent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls an OpenAI-compatible API. Clones share connections.
#[derive(Debug, Clone)]
pub struct OpenAi {
    http: reqwest::Client,
    provider: Provider,
    model: Arc<str>,
    clock: Clock,
}

type ApiClient = Client<CallConfig>;

impl OpenAi {
    /// A client of this API.
    ///
    /// # Errors
    /// When base URL or key cannot be used, or there is no TLS to be had.
    pub fn new(settings: &ApiSettings, clock: Clock) -> Result<Self, Error> {
        // reqwest panics without a provider; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(usize::MAX)
            .tcp_nodelay(true)
            // The one retry layer is the supervisor's, and a redirect would send again.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::HttpClient)?;
        let provider = Provider::new(settings)?;
        Ok(Self { http, provider, model: settings.model.as_str().into(), clock })
    }

    fn client(&self, call: &ApiCall, exchange: &Arc<Exchange>) -> Result<ApiClient, Failure> {
        let config = self.provider.for_call(call)?;
        let service = SendOnce::new(self.http.clone(), Arc::clone(exchange));
        Ok(Client::build(self.http.clone(), config).with_http_service(service))
    }

    fn limit_key(&self, named: Option<String>, key: Option<&SecretString>, model: &str) -> String {
        named.unwrap_or_else(|| format!("{}/{model}", self.provider.account(key)))
    }

    fn exchange(&self, call: &ApiCall, progress: Arc<Progress>) -> Arc<Exchange> {
        let shape = match call.work {
            Work::Content(_) => Shape::Events,
            Work::Request(_) => Shape::Whole,
        };
        let key: Option<SecretString> = call.key.clone().or_else(|| self.provider.key());
        Arc::new(Exchange::new(shape, progress, key, self.clock.clone()))
    }
}

#[async_trait]
impl ModelApi for OpenAi {
    async fn call(&self, call: ApiCall, progress: Arc<Progress>) -> Result<Answer, Failure> {
        let exchange = self.exchange(&call, progress);
        let client = self.client(&call, &exchange)?;
        let ApiCall { work, key, limit_key, .. } = call;
        let charged_to = |model: &str| self.limit_key(limit_key, key.as_ref(), model);
        match work {
            Work::Content(content) => {
                let body = body::ContentBody::new(content, &self.model)?;
                exchange.progress.asked_for(body.model());
                exchange.progress.charged_to(charged_to(body.model()));
                stream_content(&client, body, &exchange).await
            }
            Work::Request(request) => {
                let model = body::check(&request.body)?.unwrap_or_default();
                exchange.progress.asked_for(&model);
                exchange.progress.charged_to(charged_to(&model));
                forward_request(&client, request, &exchange).await
            }
        }
    }
}

async fn stream_content(
    client: &ApiClient,
    body: body::ContentBody,
    exchange: &Exchange,
) -> Result<Answer, Failure> {
    // Events are kept raw here: the library writes what does not fit a type into the log.
    let events = client.chat().create_stream_byot::<_, Box<RawValue>>(body).await;
    let mut events = events.map_err(|_| exchange.why())?;
    let mut answer = StreamedAnswer::new(exchange);
    while let Some(Ok(event)) = events.next().await {
        answer.take(event.get())?;
    }
    answer.finish()
}

async fn forward_request(
    client: &ApiClient,
    request: Request,
    exchange: &Exchange,
) -> Result<Answer, Failure> {
    exchange.send_instead(request.body.into());
    // The library knows where it goes; what goes there and comes back passes it by.
    let sent = match request.endpoint {
        Endpoint::ChatCompletions => client.chat().create_byot::<_, IgnoredAny>(()).await,
        Endpoint::Responses => client.responses().create_byot::<_, IgnoredAny>(()).await,
        Endpoint::Embeddings => client.embeddings().create_byot::<_, IgnoredAny>(()).await,
    };
    sent.map_err(|_| exchange.why())?;
    whole::judge(request.endpoint, exchange)
}
