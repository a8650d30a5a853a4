//! The JSON around an answer. It is put together from text, because a benchmark asks for tens of
//! thousands of answers a second; only the model and the text are escaped.

use std::fmt;

use crate::app::App;
use crate::errors::ApiError;
use crate::json::quoted;

/// No event has more bytes than this around its start and its text.
const AROUND: usize = 100;

/// What is the same in every part of one answer.
#[derive(Debug)]
pub(crate) struct Frame {
    id: u64,
    created: u64,
    /// As JSON.
    model: String,
    prompt_tokens: usize,
    /// Whether a stream tells its usage.
    stream_usage: bool,
}

impl Frame {
    pub(super) fn new(app: &App, model: &str, prompt_tokens: usize, stream_usage: bool) -> Self {
        Self {
            id: app.next_id(),
            created: app.started,
            model: quoted(model),
            prompt_tokens,
            stream_usage,
        }
    }

    /// The fields before `choices`.
    fn head(&self, object: &str) -> String {
        let Self { id, created, model, .. } = self;
        let ours = r#""service_tier":"default","system_fingerprint":"fp_sim""#;
        let names = format!(r#""id":"chatcmpl-sim{id}","object":"{object}""#);
        format!(r#"{{{names},"created":{created},"model":{model},{ours},"#)
    }

    /// A whole answer of `tokens` tokens; without a reason, `finish_reason` is null.
    pub(crate) fn whole(&self, text: &str, tokens: u32, reason: Option<&str>) -> String {
        let head = self.head("chat.completion");
        let (text, usage) = (quoted(text), self.usage(tokens));
        let reason = reason.map_or_else(|| "null".to_owned(), quoted);
        let message = format!(r#""role":"assistant","content":{text},"refusal":null"#);
        let choice = format!(r#""index":0,"message":{{{message},"annotations":[]}}"#);
        format!(
            r#"{head}"choices":[{{{choice},"logprobs":null,"finish_reason":{reason}}}],{usage}}}"#
        )
    }

    fn usage(&self, tokens: u32) -> Usage {
        Usage { prompt: self.prompt_tokens, completion: tokens as usize }
    }

    /// The parts of a streamed answer.
    pub(crate) fn into_chunks(self) -> Chunks {
        let head = self.head("chat.completion.chunk");
        Chunks { start: format!("data: {head}\"choices\":["), frame: self }
    }
}

/// Writes the events of one streamed answer.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// Every event up to its choices.
    start: String,
    frame: Frame,
}

impl Chunks {
    /// The event that opens the message.
    pub(crate) fn role(&self, out: &mut String) {
        self.choice(&[r#"{"role":"assistant","content":"","refusal":null}"#], None, out);
    }

    /// One delta.
    pub(crate) fn delta(&self, text: &str, out: &mut String) {
        let text = quoted(text);
        out.reserve(self.start.len() + text.len() + AROUND);
        self.choice(&[r#"{"content":"#, &text, "}"], None, out);
    }

    /// The events that end an answer of `tokens` deltas.
    pub(crate) fn end(&self, tokens: u32, reason: &str, out: &mut String) {
        self.choice(&["{}"], Some(reason), out);
        if self.frame.stream_usage {
            out.push_str(&format!("{}],{}}}\n\n", self.start, self.frame.usage(tokens)));
        }
        out.push_str("data: [DONE]\n\n");
    }

    /// The event of an error in the middle.
    pub(crate) fn fail(error: &ApiError, out: &mut String) {
        out.push_str(&format!("data: {}\n\n", error.body()));
    }

    fn choice(&self, delta: &[&str], reason: Option<&str>, out: &mut String) {
        out.push_str(&self.start);
        out.push_str(r#"{"index":0,"delta":"#);
        out.extend(delta.iter().copied());
        out.push_str(r#","logprobs":null,"finish_reason":"#);
        match reason {
            Some(reason) => out.push_str(&quoted(reason)),
            None => out.push_str("null"),
        }
        // The real API names the usage in every event once it was asked for it.
        out.push_str(if self.frame.stream_usage { "}],\"usage\":null}\n\n" } else { "}]}\n\n" });
    }
}

/// The `usage` field.
struct Usage {
    prompt: usize,
    completion: usize,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prompt, completion } = self;
        let total = prompt + completion;
        write!(f, r#""usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"#)?;
        write!(f, r#""total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":0,"#)?;
        f.write_str(r#""audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"#)?;
        f.write_str(r#""audio_tokens":0,"accepted_prediction_tokens":0,"#)?;
        f.write_str(r#""rejected_prediction_tokens":0}}"#)
    }
}
