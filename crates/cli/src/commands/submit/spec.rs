//! The flags of `submit`, and the task that they describe.

use std::{
    io::{self, Read},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use taskfleet_proto::v1::{HttpRequest, RetryPolicy, TaskSpec};
use taskfleet_runtime::Entropy;

/// A task, and what to do once it is accepted.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The prompt; `-` reads it from standard input.
    #[arg(value_name = "PROMPT", required_unless_present = "request")]
    #[arg(conflicts_with = "request")]
    prompt: Option<String>,
    /// The model to call [default: the worker's].
    #[arg(long)]
    model: Option<String>,
    /// A system message.
    #[arg(long, value_name = "TEXT")]
    instructions: Option<String>,
    /// A JSON object merged into the request's body, such as '{"temperature": 0}'.
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// Send a whole request instead of a prompt, to this endpoint: /v1/chat/completions,
    /// /v1/responses or /v1/embeddings.
    #[arg(long, value_name = "ENDPOINT", requires = "body")]
    #[arg(conflicts_with_all = ["model", "instructions", "parameters"])]
    request: Option<String>,
    /// The request's JSON body: a file, or `-` for standard input.
    #[arg(long, value_name = "FILE", requires = "request")]
    body: Option<String>,
    /// From -100 (last) to 100 (first).
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Tenants take turns.
    #[arg(long)]
    tenant: Option<String>,
    /// Tasks that are listed, watched and cancelled together.
    #[arg(long)]
    group: Option<String>,
    /// A label; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// An id of your own, unique within tenant and group.
    #[arg(long, value_name = "ID")]
    client_ref: Option<String>,
    /// The longest that one attempt may take, such as 90s or 5m [default: 120s].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// The longest from submission to the end, such as 2h [default: 24h].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    deadline: Option<Duration>,
    /// From 1 to 20 [default: 3].
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// The same key with the same task gives the first task's id [default: a random one].
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Follow the task and print its text as it comes.
    #[arg(long)]
    pub(super) watch: bool,
    /// Wait for the end and print the result only.
    #[arg(long, conflicts_with = "watch")]
    pub(super) wait: bool,
}

impl SubmitArgs {
    /// The task that they describe.
    ///
    /// # Errors
    /// When the prompt or the body cannot be read.
    pub(super) fn spec(&self) -> anyhow::Result<TaskSpec> {
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(TaskSpec {
            content: self.content()?,
            request: self.http_request()?,
            model: given(&self.model),
            instructions: given(&self.instructions),
            parameters_json: given(&self.parameters),
            idempotency_key: self.idempotency_key.clone().unwrap_or_else(random_key),
            priority: self.priority,
            tenant: given(&self.tenant),
            group: given(&self.group),
            client_ref: given(&self.client_ref),
            labels: self.labels.iter().cloned().collect(),
            attempt_timeout: wire(self.timeout)?,
            deadline: wire(self.deadline)?,
            retry: self.max_attempts.map(|attempts| RetryPolicy {
                max_attempts: Some(attempts),
                ..RetryPolicy::default()
            }),
            ..TaskSpec::default()
        })
    }

    fn content(&self) -> anyhow::Result<String> {
        match self.prompt.as_deref() {
            Some("-") => read_stdin(),
            Some(prompt) => Ok(prompt.to_owned()),
            None => Ok(String::new()),
        }
    }

    fn http_request(&self) -> anyhow::Result<Option<HttpRequest>> {
        let (Some(endpoint), Some(body)) = (&self.request, &self.body) else {
            return Ok(None);
        };
        let body = if body == "-" { read_stdin()? } else { read_file(Path::new(body))? };
        Ok(Some(HttpRequest { endpoint: endpoint.clone(), body }))
    }
}

fn read_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn wire(duration: Option<Duration>) -> anyhow::Result<Option<prost_types::Duration>> {
    duration.map(prost_types::Duration::try_from).transpose().context("a time is too long")
}

/// A random UUID, so that asking again cannot make the task twice.
pub(crate) fn random_key() -> String {
    uuid::Builder::from_random_bytes(Entropy::from_os().bytes()).into_uuid().to_string()
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
