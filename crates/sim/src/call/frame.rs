//! What the endpoints have in common: a prompt comes in, and a text goes out in the endpoint's own
//! JSON.

use std::borrow::Cow;

use crate::errors::ApiError;
use crate::{chat, embeddings, responses};

/// What a call asks for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) model: String,
    /// What carries the marker and is digested.
    pub(crate) prompt: Cow<'a, str>,
    pub(crate) prompt_tokens: usize,
    /// The most tokens an answer may have, if the client said so.
    pub(crate) max_tokens: Option<u32>,
    pub(crate) stream: bool,
    pub(crate) frame: Frame,
}

impl Asked<'_> {
    /// The tokens that the call is charged for when it is admitted.
    pub(super) fn charged_tokens(&self) -> u32 {
        let prompt = u32::try_from(self.prompt_tokens).unwrap_or(u32::MAX);
        prompt.max(self.max_tokens.unwrap_or(0))
    }
}

/// The JSON around one answer.
#[derive(Debug)]
pub(crate) enum Frame {
    Chat(chat::Frame),
    Response(responses::Frame),
    Embeddings(embeddings::Frame),
}

impl Frame {
    /// The field that has the prompt.
    pub(super) fn param(&self) -> &'static str {
        match self {
            Self::Chat(_) => "messages",
            Self::Response(_) | Self::Embeddings(_) => "input",
        }
    }

    /// Whether the answer is a text, which takes its time.
    pub(super) fn has_text(&self) -> bool {
        !matches!(self, Self::Embeddings(_))
    }

    /// A whole answer of `tokens` tokens; without a reason it does not say how it ended.
    pub(super) fn whole(&self, text: &str, tokens: u32, reason: Option<&str>) -> String {
        match self {
            Self::Chat(frame) => frame.whole(text, tokens, reason),
            Self::Response(frame) => frame.whole(text, tokens, reason),
            Self::Embeddings(frame) => frame.whole(reason.is_some()),
        }
    }

    /// An answer with status 200 that is an error.
    pub(super) fn failed(&self, error: &ApiError) -> String {
        match self {
            Self::Response(frame) => frame.failed(error),
            Self::Chat(_) | Self::Embeddings(_) => error.body().to_string(),
        }
    }

    /// The parts of a streamed answer.
    pub(super) fn into_chunks(self) -> Chunks {
        match self {
            Self::Chat(frame) => Chunks::Chat(frame.into_chunks()),
            Self::Response(frame) => Chunks::Response(responses::Events::new(frame)),
            Self::Embeddings(_) => Chunks::None,
        }
    }
}

/// Writes the events of one streamed answer.
#[derive(Debug)]
pub(crate) enum Chunks {
    Chat(chat::Chunks),
    Response(responses::Events),
    /// Embeddings are never streamed.
    None,
}

impl Chunks {
    /// What comes before the text.
    pub(super) fn open(&mut self, out: &mut String) {
        match self {
            Self::Chat(chunks) => chunks.role(out),
            Self::Response(events) => events.open(out),
            Self::None => {}
        }
    }

    /// One delta.
    pub(super) fn delta(&mut self, text: &str, out: &mut String) {
        match self {
            Self::Chat(chunks) => chunks.delta(text, out),
            Self::Response(events) => events.delta(text, out),
            Self::None => {}
        }
    }

    /// The end of an answer of `tokens` deltas, which together are `text`.
    pub(super) fn end(
        &mut self,
        tokens: u32,
        reason: &str,
        text: impl FnOnce() -> String,
        out: &mut String,
    ) {
        match self {
            Self::Chat(chunks) => chunks.end(tokens, reason, out),
            Self::Response(events) => events.end(tokens, reason, &text(), out),
            Self::None => {}
        }
    }

    /// An error in the middle.
    pub(super) fn fail(&mut self, error: &ApiError, out: &mut String) {
        match self {
            Self::Chat(_) => chat::Chunks::fail(error, out),
            Self::Response(events) => events.fail(error, out),
            Self::None => {}
        }
    }
}
