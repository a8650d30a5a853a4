//! An OpenAI-compatible API over HTTP.
//!
//! async-openai makes the requests for prompts and reads the stream of events; what stands between
//! it and the network is ours ([`once`]): it sends exactly once, and sees status, headers and raw
//! body first. For by itself the library loses the status of odd errors, repeats calls, takes a cut
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
use http::{HeaderValue, header::CONTENT_TYPE};
use secrecy::SecretString;
use serde_json::value::RawValue;
use taskfleet_core::{
    outcome::Failure,
    task::{Request, Work},
};
use taskfleet_runtime::Clock;

use crate::{
    ApiSettings, Error,
    api::{Answer, ApiCall, ModelApi, Progress},
};
use config::{CallConfig, Provider};
use exchange::Exchange;
use once::SendOnce;
use streamed::StreamedAnswer;

/// To connect, TLS included. A host that takes longer is as good as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Unused connections are closed before most servers would close them: a request that meets a
/// closing connection counts as sent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

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

    fn sender(&self, exchange: &Arc<Exchange>) -> SendOnce {
        SendOnce::new(self.http.clone(), Arc::clone(exchange))
    }

    fn limit_key(&self, named: Option<String>, key: Option<&SecretString>, model: &str) -> String {
        named.unwrap_or_else(|| format!("{}/{model}", self.provider.account(key)))
    }

    fn exchange(&self, call: &ApiCall, progress: Arc<Progress>) -> Arc<Exchange> {
        let key: Option<SecretString> = call.key.clone().or_else(|| self.provider.key());
        Arc::new(Exchange::new(progress, key, self.clock.clone()))
    }
}

#[async_trait]
impl ModelApi for OpenAi {
    async fn call(&self, call: ApiCall, progress: Arc<Progress>) -> Result<Answer, Failure> {
        let exchange = self.exchange(&call, progress);
        let config = self.provider.for_call(&call)?;
        let ApiCall { work, key, limit_key, .. } = call;
        let charged_to = |model: &str| self.limit_key(limit_key, key.as_ref(), model);
        match work {
            Work::Content(content) => {
                let body = body::ContentBody::new(content, &self.model)?;
                exchange.progress.asked_for(body.model());
                exchange.progress.charged_to(charged_to(body.model()));
                self.stream_content(config, body, &exchange).await
            }
            Work::Request(request) => {
                let model = body::check(&request.body)?.unwrap_or_default();
                exchange.progress.asked_for(&model);
                exchange.progress.charged_to(charged_to(&model));
                self.forward_request(config, request, &exchange).await
            }
        }
    }
}

impl OpenAi {
    async fn stream_content(
        &self,
        config: CallConfig,
        body: body::ContentBody,
        exchange: &Arc<Exchange>,
    ) -> Result<Answer, Failure> {
        let client = Client::build(self.http.clone(), config);
        let client: ApiClient = client.with_http_service(self.sender(exchange));
        // Events are kept raw here: the library writes what does not fit a type into the log.
        let events = client.chat().create_stream_byot::<_, Box<RawValue>>(body).await;
        let mut events = events.map_err(|_| exchange.why())?;
        let mut answer = StreamedAnswer::new(exchange);
        while let Some(Ok(event)) = events.next().await {
            answer.take(event.get())?;
        }
        answer.finish()
    }

    /// What is sent and what comes back are the client's, byte for byte.
    async fn forward_request(
        &self,
        config: CallConfig,
        request: Request,
        exchange: &Arc<Exchange>,
    ) -> Result<Answer, Failure> {
        let Request { endpoint, body, .. } = request;
        let post = self.http.post(self.provider.url(endpoint).clone());
        let post = post.headers(config.into_headers()).header(CONTENT_TYPE, JSON).body(body);
        let post = post.build().map_err(|_| exchange.why())?;
        let answer = self.sender(exchange).forward(post).await?;
        whole::judge(endpoint, answer, exchange)
    }
}
