//! The events of a streamed response.

use super::frame::{Frame, item_status, part};
use crate::errors::ApiError;
use crate::json::quoted;

/// Where in the answer the text is: it has one message with one part.
const PLACE: &str = r#""output_index":0,"content_index":0"#;

/// Writes the events of one streamed answer.
#[derive(Debug)]
pub(crate) struct Events {
    frame: Frame,
    /// As JSON fields.
    place: String,
    sequence: u64,
}

impl Events {
    pub(crate) fn new(frame: Frame) -> Self {
        let place = format!(r#""item_id":"{}",{PLACE}"#, frame.message_id());
        Self { frame, place, sequence: 0 }
    }

    /// What comes before the text.
    pub(crate) fn open(&mut self, out: &mut String) {
        let begun = self.frame.begun();
        self.event("response.created", &format!(r#""response":{begun}"#), out);
        self.event("response.in_progress", &format!(r#""response":{begun}"#), out);
        let item = self.frame.empty_item();
        let added = format!(r#""output_index":0,"item":{item}"#);
        self.event("response.output_item.added", &added, out);
        let added = format!(r#"{},"part":{}"#, self.place, part(""));
        self.event("response.content_part.added", &added, out);
    }

    /// One delta.
    pub(crate) fn delta(&mut self, text: &str, out: &mut String) {
        let delta = format!(r#"{},"delta":{},"logprobs":[]"#, self.place, quoted(text));
        self.event("response.output_text.delta", &delta, out);
    }

    /// The events that end an answer of `tokens` deltas, which together are `text`.
    pub(crate) fn end(&mut self, tokens: u32, reason: &str, text: &str, out: &mut String) {
        let done = format!(r#"{},"text":{},"logprobs":[]"#, self.place, quoted(text));
        self.event("response.output_text.done", &done, out);
        let done = format!(r#"{},"part":{}"#, self.place, part(text));
        self.event("response.content_part.done", &done, out);
        let status = item_status(reason);
        let done = format!(r#""output_index":0,"item":{}"#, self.frame.item(text, status));
        self.event("response.output_item.done", &done, out);
        let whole = self.frame.whole(text, tokens, Some(reason));
        self.event(&format!("response.{status}"), &format!(r#""response":{whole}"#), out);
    }

    /// An error in the middle.
    pub(crate) fn fail(&mut self, error: &ApiError, out: &mut String) {
        let (code, message) = (quoted(error.code.unwrap_or_default()), quoted(&error.message));
        self.event("error", &format!(r#""code":{code},"message":{message},"param":null"#), out);
    }

    fn event(&mut self, name: &str, fields: &str, out: &mut String) {
        let sequence = self.sequence;
        self.sequence += 1;
        let start = format!(r#"{{"type":"{name}","sequence_number":{sequence}"#);
        out.push_str(&format!("event: {name}\ndata: {start},{fields}}}\n\n"));
    }
}
