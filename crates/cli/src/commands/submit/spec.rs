//! The flags of `submit`, and the task that they describe.

use std::{
    io::{self, Read},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use taskfleet_proto::v1::{HttpRequest, RetryPolicy, TaskSpec};
use taskfleet_runtime::Entropy;

use crate::{
    batch::{self, Format, Input},
    failure::Usage,
};

/// How files are written and what comes of them, below the flags.
const ABOUT_FILES: &str = "\
A file of tasks:
  An argument is a file when there is one of that name, or when it has no white space and begins
  with ./, ../ or / or ends in .jsonl, .ndjson or .txt. Text: each line is a prompt, and its number
  is its id. JSON: each line is an object with
    id (or custom_id)         your own id, unique in the file [default: the line's number]
    content (or prompt)       the prompt; or, instead of it,
    endpoint (or url), body   a request to the model API (method, if there, is POST)
    model, instructions, parameters, priority, labels, timeout, deadline, max_attempts
                              as the flags of the same names, and before them
  so files for the OpenAI Batch API are taken as they are. Blank lines are skipped. The whole file
  is checked before anything is submitted.

  The same command may be run again, after Ctrl-C, a kill or a power cut, and when the file has
  grown: what was submitted is not submitted or paid for again, as long as the supervisor keeps
  ended tasks (its retention_seconds, 7 days unless told otherwise). What it has forgotten by then
  is called again; with --out it is said how many, by the results that stand there. A changed prompt
  needs a new id, or a new --group.
  --out takes a line for each task, in the order in which they end:
  {\"id\", \"task_id\", \"state\", \"text\" or \"body\", \"error\", \"model\", \"usage\", \"attempts\", \"key\"}.

Exit codes: 0 all completed (without --wait: accepted), 1 some failed, were cancelled or left out,
2 wrong usage or a wrong line, 3 the supervisor is not reachable, 130 interrupted.";

/// A task or a file of tasks, and what to do once they are accepted.
#[derive(Debug, Args)]
#[command(after_help = ABOUT_FILES)]
pub(crate) struct SubmitArgs {
    /// A prompt; or a file of many, one task a line; `-` reads lines from standard input.
    #[arg(value_name = "PROMPT|FILE", required_unless_present = "request")]
    #[arg(conflicts_with = "request")]
    input: Option<String>,
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
    /// Tasks that are listed, watched and cancelled together [default for a file: made from
    /// its path and the options].
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
    #[command(flatten)]
    pub(super) file: FileArgs,
}

/// What goes with a file of tasks.
#[derive(Debug, Args)]
#[command(next_help_heading = "With a file")]
pub(crate) struct FileArgs {
    /// How the file is read: text is a prompt a line, jsonl an object a line, prompt means that
    /// all of it is one prompt [default: by its extension, .jsonl, .ndjson or .txt, or else by
    /// its first byte: `{` means jsonl].
    #[arg(long)]
    pub(super) format: Option<InputFormat>,
    /// Append the results to this file; lines that stand there already are kept and not
    /// fetched again [default: standard output].
    #[arg(long, value_name = "FILE", requires = "wait")]
    pub(super) out: Option<String>,
    /// Submit the rest when lines are wrong, and name those; ends with 1 then.
    #[arg(long)]
    pub(super) skip_bad: bool,
    /// How long a supervisor that goes away meanwhile is asked again; one that is not there at
    /// the beginning ends the command at once.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    #[arg(default_value = "5m")]
    pub(super) patience: Duration,
}

/// How an argument or file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    Text,
    Jsonl,
    Prompt,
}

impl SubmitArgs {
    /// One task with this prompt.
    ///
    /// # Errors
    /// When the body cannot be read.
    pub(super) fn spec(&self, prompt: String) -> anyhow::Result<TaskSpec> {
        Ok(TaskSpec {
            content: prompt,
            request: self.http_request()?,
            idempotency_key: self.idempotency_key.clone().unwrap_or_else(random_key),
            client_ref: self.client_ref.clone().unwrap_or_default(),
            ..self.base()?
        })
    }

    /// What the options say of every task.
    ///
    /// # Errors
    /// When a time is too long.
    pub(super) fn base(&self) -> anyhow::Result<TaskSpec> {
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        Ok(TaskSpec {
            model: given(&self.model),
            instructions: given(&self.instructions),
            parameters_json: given(&self.parameters),
            priority: self.priority,
            tenant: given(&self.tenant),
            group: given(&self.group),
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

    /// What there is to submit.
    ///
    /// # Errors
    /// [`Usage`] when a file cannot be read, or options do not go together.
    pub(super) fn input(&self) -> anyhow::Result<Submission> {
        let Some(name) = &self.input else { return Ok(Submission::One(String::new())) };
        match self.file.format {
            Some(InputFormat::Prompt) => self.one(read_whole(name)?),
            Some(InputFormat::Text) => self.many(name, Some(Format::Text)),
            Some(InputFormat::Jsonl) => self.many(name, Some(Format::Jsonl)),
            None if batch::is_file(name) => self.many(name, None),
            None => self.one(name.clone()),
        }
    }

    fn one(&self, prompt: String) -> anyhow::Result<Submission> {
        let of_files = [("--out", self.file.out.is_some()), ("--skip-bad", self.file.skip_bad)];
        refuse(&of_files, "goes with a file of tasks; this is one prompt")?;
        Ok(Submission::One(prompt))
    }

    fn many(&self, name: &str, format: Option<Format>) -> anyhow::Result<Submission> {
        let of_one = [
            ("--watch", self.watch),
            ("--client-ref", self.client_ref.is_some()),
            ("--idempotency-key", self.idempotency_key.is_some()),
        ];
        refuse(&of_one, "goes with one prompt; this is a file of tasks")?;
        Ok(Submission::Many(Input::open(name, format)?))
    }

    fn http_request(&self) -> anyhow::Result<Option<HttpRequest>> {
        let (Some(endpoint), Some(body)) = (&self.request, &self.body) else {
            return Ok(None);
        };
        let body = if body == "-" { read_stdin()? } else { read_file(Path::new(body))? };
        Ok(Some(HttpRequest { endpoint: endpoint.clone(), body }))
    }
}

/// What is asked to be submitted.
pub(super) enum Submission {
    /// One prompt; empty beside a request.
    One(String),
    /// A file of tasks.
    Many(Input),
}

fn refuse(flags: &[(&str, bool)], why: &str) -> Result<(), Usage> {
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Usage(format!("{flag} {why}"))),
        None => Ok(()),
    }
}

fn read_whole(name: &str) -> anyhow::Result<String> {
    if name == "-" { read_stdin() } else { read_file(Path::new(name)) }
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

/// A label as it is written in flags.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
