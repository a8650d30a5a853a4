//! A model API that says back what it was sent: the worst that one can do to secrets.

use std::sync::{Arc, Mutex};

use taskfleet_runtime::Tasks;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers each call by a word in its body: `say-400`, `say-401`, `say-html`, `say-cut`,
/// `say-odd`; otherwise well, with `answer`.
pub(crate) struct Parrot {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
    tasks: Tasks,
}

impl Parrot {
    pub(crate) async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let (heads, tasks): (Arc<Mutex<Vec<String>>>, _) = (Arc::default(), Tasks::default());
        let (seen, serving) = (heads.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = serving.stopping() => return,
                    accepted = listener.accept() => {
                        serving.spawn(one_call(accepted.unwrap().0, answer, seen.clone()));
                    }
                }
            }
        });
        Self { address, heads, tasks }
    }

    /// For `OPENAI_BASE_URL`.
    pub(crate) fn base_url(&self) -> &str {
        &self.address
    }

    /// The heads of all requests so far, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Parrot {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

async fn one_call(mut stream: TcpStream, answer: &str, seen: Arc<Mutex<Vec<String>>>) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let key = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
    let answer = answered(&body, key.unwrap_or_default(), answer);
    seen.lock().unwrap().push(head.to_lowercase());
    // The other side may have gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap_or("0").trim().parse().ok()?;
        if body.len() >= length {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

fn answered(body: &str, key: &str, answer: &str) -> String {
    let quoted = serde_json::Value::String(format!("{body} {key}"));
    let error = format!(r#"{{"error":{{"message":{quoted},"type":"invalid_request_error"}}}}"#);
    let delta = |text: &str| {
        let text = serde_json::Value::String(text.to_owned());
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}}}}]}}\n\n")
    };
    let stop = "data: {\"model\":\"parrot\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\
         \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n\
         data: [DONE]\n\n";
    let (status, kind, body) = if body.contains("say-400") {
        ("400 Bad Request", "application/json", error)
    } else if body.contains("say-401") {
        let said = format!("Incorrect API key provided: {key}. You sent: {body}");
        let said = serde_json::Value::String(said);
        let error = format!(r#"{{"error":{{"message":{said},"code":"invalid_api_key"}}}}"#);
        ("401 Unauthorized", "application/json", error)
    } else if body.contains("say-html") {
        ("502 Bad Gateway", "text/html", format!("<html><body>{body} {key}</body></html>"))
    } else if body.contains("say-cut") {
        ("200 OK", "text/event-stream", delta(body))
    } else if body.contains("say-odd") {
        ("200 OK", "text/event-stream", format!("data: {quoted}\n\n"))
    } else if body.contains("\"stream\":true") {
        ("200 OK", "text/event-stream", delta(answer) + stop)
    } else {
        let answer = serde_json::Value::String(answer.to_owned());
        let whole = format!(
            r#"{{"model":"parrot","choices":[{{"message":{{"content":{answer}}},"finish_reason":"stop"}}]}}"#
        );
        ("200 OK", "application/json", whole)
    };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         x-request-id: req-parrot\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
