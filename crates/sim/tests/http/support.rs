//! A simulator on a free port, and a client that tells how an answer ended.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use openai_sim::{Settings, Sim};
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Longer than anything here takes, so that only a test that would never end reaches it.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

pub(crate) struct Running {
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<io::Result<()>>,
}

pub(crate) fn free_port() -> Settings {
    Settings { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..Settings::default() }
}

/// In a build of the whole workspace reqwest comes without a provider of its own and panics.
pub(crate) fn install_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_with(free_port()).await
    }

    pub(crate) async fn start_with(settings: Settings) -> Self {
        install_tls_provider();
        let sim = Sim::bind(settings).await.unwrap();
        let address = sim.local_addr();
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(sim.run(async {
            let _ = stopped.await;
        }));
        Self { client: Client::new(), address, stop: Some(stop), tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A chat request with these fields.
    pub(crate) fn post(&self, body: &Value) -> RequestBuilder {
        self.client.post(self.url("/v1/chat/completions")).json(body)
    }

    /// Asks without streaming.
    pub(crate) async fn whole(&self, prompt: &str) -> Reply {
        Reply::read(self.post(&chat(prompt, false))).await
    }

    /// Asks with streaming.
    pub(crate) async fn streamed(&self, prompt: &str) -> Reply {
        Reply::read(self.post(&chat(prompt, true))).await
    }

    /// Posts a body to an endpoint, as `task.lease` when there is one.
    pub(crate) async fn ask(&self, path: &str, request_id: &str, body: &Value) -> Reply {
        let request = self.client.post(self.url(path)).json(body);
        Reply::read(request.header("X-Client-Request-Id", request_id)).await
    }

    /// Asks without streaming, as `task.lease`.
    pub(crate) async fn as_task(&self, request_id: &str, prompt: &str) -> Reply {
        let request = self.post(&chat(prompt, false));
        Reply::read(request.header("X-Client-Request-Id", request_id)).await
    }

    /// What the simulator counted; `path` is empty or `/task`.
    pub(crate) async fn calls(&self, path: &str) -> Value {
        let response = self.client.get(self.url("/sim/calls") + path).send().await;
        response.unwrap().json().await.unwrap()
    }

    /// Polls the counts until they are as wanted.
    pub(crate) async fn until_calls(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let polled = tokio::time::timeout(BOUND, async {
            loop {
                let calls = self.calls("").await;
                if wanted(&calls) {
                    return calls;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        polled.await.expect("the counts never became as wanted")
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        self.stop.take().unwrap().send(()).unwrap();
        let ended = tokio::time::timeout(BOUND, self.tasks.join_next()).await;
        ended.expect("it does not stop").unwrap().unwrap()
    }
}

pub(crate) fn chat(prompt: &str, stream: bool) -> Value {
    let messages =
        json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": prompt}]);
    json!({"model": "sim-1", "messages": messages, "stream": stream})
}

/// An answer read to its end, or to where it broke.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) broke: bool,
}

impl Reply {
    pub(crate) async fn read(request: RequestBuilder) -> Self {
        let reply = async { Self::read_response(request.send().await.unwrap()).await };
        tokio::time::timeout(BOUND, reply).await.expect("the answer does not end")
    }

    async fn read_response(mut response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        let broke = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let body = String::from_utf8(bytes).unwrap();
        Self { status, headers, body, broke }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The `data` of every complete event.
    pub(crate) fn events(&self) -> Vec<&str> {
        let events = self.body.split_terminator("\n\n");
        events.map(|event| event.strip_prefix("data: ").unwrap()).collect()
    }

    /// The events that are chunks.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        let events = self.events().into_iter().filter(|event| *event != "[DONE]");
        events.map(|event| serde_json::from_str(event).unwrap()).collect()
    }

    /// The deltas that carry text.
    pub(crate) fn deltas(&self) -> Vec<String> {
        let chunks = self.chunks();
        let texts =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// The text of an answer that is not streamed.
    pub(crate) fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    }

    /// `finish_reason` of either kind of answer.
    pub(crate) fn finish_reason(&self) -> Option<String> {
        let parts = if self.body.starts_with("data: ") { self.chunks() } else { vec![self.json()] };
        let mut reasons =
            parts.iter().filter_map(|part| part["choices"][0]["finish_reason"].as_str());
        reasons.next().map(str::to_owned)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn error_code(&self) -> Value {
        self.json()["error"]["code"].clone()
    }
}
