//! The JSON around a response.

use crate::app::App;
use crate::errors::ApiError;
use crate::json::quoted;

/// What is the same in every part of one answer.
#[derive(Debug)]
pub(crate) struct Frame {
    id: u64,
    created: u64,
    /// As JSON.
    model: String,
    prompt_tokens: usize,
}

impl Frame {
    pub(super) fn new(app: &App, model: &str, prompt_tokens: usize) -> Self {
        Self { id: app.next_id(), created: app.started, model: quoted(model), prompt_tokens }
    }

    /// A whole answer of `tokens` tokens; without a reason it has no status.
    pub(crate) fn whole(&self, text: &str, tokens: u32, reason: Option<&str>) -> String {
        let item = self.item(text, reason.map_or("in_progress", item_status));
        let usage = self.usage(tokens);
        self.response(&status(reason), &format!("[{item}]"), &usage)
    }

    /// An answer that failed, which the real API sends with status 200.
    pub(crate) fn failed(&self, error: &ApiError) -> String {
        let (code, message) = (quoted(error.code.unwrap_or_default()), quoted(&error.message));
        let error = format!(r#"{{"code":{code},"message":{message}}}"#);
        let status = format!(r#""status":"failed","error":{error},"incomplete_details":null"#);
        self.response(&status, "[]", "null")
    }

    /// The response of a stream that has just begun.
    pub(super) fn begun(&self) -> String {
        let status = r#""status":"in_progress","error":null,"incomplete_details":null"#;
        self.response(status, "[]", "null")
    }

    fn response(&self, status: &str, output: &str, usage: &str) -> String {
        let Self { id, created, model, .. } = self;
        let head = format!(r#""id":"resp_sim{id}","object":"response","created_at":{created}"#);
        let settings = r#""instructions":null,"max_output_tokens":null,"parallel_tool_calls":true,"previous_response_id":null,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","metadata":{}"#;
        format!(
            r#"{{{head},{status},"model":{model},"output":{output},{settings},"usage":{usage}}}"#
        )
    }

    /// The id of the one message.
    pub(super) fn message_id(&self) -> String {
        format!("msg_sim{}", self.id)
    }

    /// The one message.
    pub(super) fn item(&self, text: &str, status: &str) -> String {
        self.item_of(&format!("[{}]", part(text)), status)
    }

    /// The one message before its text.
    pub(super) fn empty_item(&self) -> String {
        self.item_of("[]", "in_progress")
    }

    fn item_of(&self, content: &str, status: &str) -> String {
        let id = self.message_id();
        format!(
            r#"{{"id":"{id}","type":"message","status":"{status}","role":"assistant","content":{content}}}"#
        )
    }

    fn usage(&self, tokens: u32) -> String {
        let (input, output) = (self.prompt_tokens, tokens as usize);
        let total = input + output;
        format!(
            r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{total}}}"#
        )
    }
}

/// The one part of the message.
pub(super) fn part(text: &str) -> String {
    format!(r#"{{"type":"output_text","text":{},"annotations":[],"logprobs":[]}}"#, quoted(text))
}

/// The fields that say how it ended.
fn status(reason: Option<&str>) -> String {
    let why = match reason {
        None => return r#""error":null,"incomplete_details":null"#.to_owned(),
        Some("stop") => {
            return r#""status":"completed","error":null,"incomplete_details":null"#.to_owned();
        }
        Some("length") => "max_output_tokens",
        Some(other) => other,
    };
    let details = format!(r#"{{"reason":{}}}"#, quoted(why));
    format!(r#""status":"incomplete","error":null,"incomplete_details":{details}"#)
}

/// The status of the message in an answer that ended for this reason.
pub(super) fn item_status(reason: &str) -> &'static str {
    if reason == "stop" { "completed" } else { "incomplete" }
}
