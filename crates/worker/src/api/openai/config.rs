//! Where calls go and what they carry: address, key, ids.

use std::{borrow::Cow, fmt, sync::Arc};

use async_openai::config::Config;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, InvalidHeaderValue},
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use taskfleet_core::{
    account::{account, provider},
    failure::FailureKind,
    outcome::Failure,
    task::Endpoint,
};

use crate::{
    ApiSettings, Error,
    api::{ApiCall, failure},
};

/// The provider kept under this name which call of which task it was: for its support, and
/// for whoever compares both sides.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// One provider: its address and our key.
#[derive(Clone)]
pub(super) struct Provider {
    base: Arc<str>,
    key: Option<SecretString>,
    urls: Arc<Urls>,
    /// The address's fingerprint …
    fingerprint: Arc<str>,
    /// … and that of the account which our key is charged to.
    own_account: Arc<str>,
}

/// Made once: a parser of addresses does a lot, and they are the same for each call.
struct Urls {
    chat_completions: Url,
    responses: Url,
    embeddings: Url,
}

impl Urls {
    /// `base` has the version in its path already.
    fn below(base: &str) -> Option<Self> {
        let below = |endpoint: Endpoint| {
            let path = endpoint.path().strip_prefix("/v1")?;
            Url::parse(&format!("{base}{path}")).ok()
        };
        Some(Self {
            chat_completions: below(Endpoint::ChatCompletions)?,
            responses: below(Endpoint::Responses)?,
            embeddings: below(Endpoint::Embeddings)?,
        })
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Even the address may hold a password.
        f.write_str("Provider")
    }
}

impl Provider {
    pub(super) fn new(settings: &ApiSettings) -> Result<Self, Error> {
        let base = settings.base_url.trim_end_matches('/');
        let uri: Option<Uri> = base.parse().ok();
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        let can_be_called =
            matches!(scheme, Some("http" | "https")) && uri.is_some_and(|uri| uri.host().is_some());
        let Some(urls) = Urls::below(base).filter(|_| can_be_called) else {
            let problem = "must be a URL such as https://api.openai.com/v1";
            return Err(Error::setting("OPENAI_BASE_URL", problem));
        };
        if settings.key.as_ref().is_some_and(|key| bearer(key).is_err()) {
            let problem = "has a character that no HTTP header can carry";
            return Err(Error::setting("OPENAI_API_KEY", problem));
        }
        let fingerprint = provider(base);
        let own_account =
            account(&fingerprint, settings.key.as_ref().map(ExposeSecret::expose_secret));
        Ok(Self {
            base: base.into(),
            key: settings.key.clone(),
            urls: Arc::new(urls),
            fingerprint: fingerprint.into(),
            own_account: own_account.into(),
        })
    }

    /// The account that a call with the task's own key, or else ours, is charged to.
    pub(super) fn account(&self, key: Option<&SecretString>) -> Cow<'_, str> {
        match key {
            None => Cow::Borrowed(&self.own_account),
            Some(key) => Cow::Owned(account(&self.fingerprint, Some(key.expose_secret()))),
        }
    }

    pub(super) fn key(&self) -> Option<SecretString> {
        self.key.clone()
    }

    /// What one call carries, and what the client library needs to know for it.
    ///
    /// # Errors
    /// The task's own key cannot be sent.
    pub(super) fn for_call(&self, call: &ApiCall) -> Result<CallConfig, Failure> {
        let key = call.key.as_ref().or(self.key.as_ref()).cloned().unwrap_or_default();
        Ok(CallConfig { base: Arc::clone(&self.base), headers: self.headers(call)?, key })
    }

    /// Where a request is forwarded to.
    pub(super) fn url(&self, endpoint: Endpoint) -> &Url {
        match endpoint {
            Endpoint::ChatCompletions => &self.urls.chat_completions,
            Endpoint::Responses => &self.urls.responses,
            Endpoint::Embeddings => &self.urls.embeddings,
        }
    }

    fn headers(&self, call: &ApiCall) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(key) = call.key.as_ref().or(self.key.as_ref()) {
            let bearer = bearer(key).map_err(|_| unusable_key())?;
            headers.insert(AUTHORIZATION, bearer);
        }
        let id = format!("{}.{}", call.task, call.lease);
        put(&mut headers, CLIENT_REQUEST_ID, &id);
        if let Some(trace) = &call.trace {
            put(&mut headers, TRACEPARENT, &trace.traceparent);
            put(&mut headers, TRACESTATE, &trace.tracestate);
        }
        Ok(headers)
    }
}

fn bearer(key: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable_key() -> Failure {
    let words = "the task's key has a character that no HTTP header can carry";
    failure(FailureKind::Authentication, words)
}

/// What is empty or no header value is left out: a call is not to fail for an id.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

/// What the client library asks for. Its own configuration reads the environment on each call
/// and panics at a key that no header can carry.
#[derive(Clone)]
pub(super) struct CallConfig {
    base: Arc<str>,
    headers: HeaderMap,
    key: SecretString,
}

impl CallConfig {
    pub(super) fn into_headers(self) -> HeaderMap {
        self.headers
    }
}

impl Config for CallConfig {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_url: &str, key: &str) -> ApiSettings {
        let key = Some(SecretString::from(key));
        ApiSettings { base_url: base_url.into(), key, ..ApiSettings::default() }
    }

    #[test]
    fn addresses_and_keys_that_cannot_work_are_refused_at_the_start() {
        for base in ["", "api.openai.com", "ftp://a/v1", "http://"] {
            assert!(Provider::new(&settings(base, "k")).is_err(), "{base} was taken");
        }
        let error = Provider::new(&settings("http://a/v1", "sk-1\n2")).unwrap_err();
        assert!(!error.to_string().contains("sk-1"), "{error}");
    }
}
