//! A model API that answers with fixed bytes and keeps the bytes that it was sent.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// One request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Answers each path with its own bytes; ends when it is dropped.
pub(crate) struct ExactApi {
    address: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    _serving: JoinSet<()>,
}

type Answers = &'static [(&'static str, &'static str)];

impl ExactApi {
    pub(crate) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut serving, kept) = (JoinSet::new(), heard.clone());
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, answers, kept.clone()));
            }
        });
        Self { address, heard, _serving: serving }
    }

    /// What a worker needs as its OPENAI_BASE_URL.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The only request to this path.
    pub(crate) fn heard(&self, path: &str) -> Heard {
        let heard = self.heard.lock().unwrap();
        let start = format!("POST {path} ");
        let mut found = heard.iter().filter(|request| request.head.starts_with(&start));
        let request = found.next().expect("the path was called").clone();
        assert!(found.next().is_none(), "{path} was called twice");
        request
    }
}

async fn serve(mut stream: TcpStream, answers: Answers, heard: Arc<Mutex<Vec<Heard>>>) {
    let request = read(&mut stream).await;
    let path = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
    heard.lock().unwrap().push(request);
    let answer = answers.iter().find(|(known, _)| *known == path).expect("a known path").1;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-request-id: req_exact\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    // A client that goes away is its own affair.
    let _ = stream.write_all((head + answer).as_bytes()).await;
}

async fn read(stream: &mut TcpStream) -> Heard {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().unwrap();
            if seen.len() == head.len() + 4 + length {
                let body = seen.split_off(head.len() + 4);
                return Heard { head: head.to_owned(), body };
            }
        }
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0, "the request broke off");
    }
}
