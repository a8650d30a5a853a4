//! The shapes of work whose throughput is measured.

use taskfleet_proto::v1::{HttpRequest, TaskSpec};

use crate::options::Scenario;

/// The body of a one-shot request, also of the bare loop's.
const BODY: &str =
    r#"{"model":"simulated","messages":[{"role":"user","content":"task [sim:deltas=8]"}]}"#;
/// The same as a worker sends it for a prompt.
const STREAMED: &str = r#"{"model":"simulated","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"task [sim:deltas=20]"}]}"#;
/// The prompt of a content task.
const PROMPT: &str = "task [sim:deltas=20]";

/// What is submitted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One-shot requests, many in each call.
    Batches,
    /// One-shot requests, one in each call, from many callers.
    Singles,
    /// Prompts whose answers are streamed, many in each call.
    Content,
}

impl Shape {
    /// What each request at the API holds.
    pub(crate) const MARK: &str = "task [sim:deltas=";

    pub(crate) const ALL: [Self; 3] = [Self::Batches, Self::Singles, Self::Content];

    pub(crate) const fn scenario(self) -> Scenario {
        match self {
            Self::Batches => Scenario::Batches,
            Self::Singles => Scenario::Singles,
            Self::Content => Scenario::Content,
        }
    }

    /// For the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Batches => "one-shot, SubmitTasks",
            Self::Singles => "one-shot, SubmitTask x 64 callers",
            Self::Content => "content of 20 deltas, SubmitTasks",
        }
    }

    /// What has to be reached, in tasks a second.
    pub(crate) const fn target(self) -> f64 {
        match self {
            Self::Batches => 8_000.0,
            Self::Singles => 4_000.0,
            Self::Content => 2_500.0,
        }
    }

    /// What a bare client would send.
    pub(crate) const fn body(self) -> &'static str {
        match self {
            Self::Batches | Self::Singles => BODY,
            Self::Content => STREAMED,
        }
    }

    pub(crate) fn task(self, group: &str) -> TaskSpec {
        let group = group.to_owned();
        match self {
            Self::Batches | Self::Singles => {
                let request =
                    HttpRequest { endpoint: "/v1/chat/completions".into(), body: BODY.into() };
                TaskSpec { request: Some(request), group, ..TaskSpec::default() }
            }
            Self::Content => TaskSpec { content: PROMPT.into(), group, ..TaskSpec::default() },
        }
    }
}
