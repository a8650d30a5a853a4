//! The fields of a request that the simulator looks at, checked as the real API checks them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::errors::ApiError;
use crate::input::{self, Content, at_least_one, missing, unreadable};

/// A chat completion request; all other fields are taken and ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    messages: Option<Vec<Message<'a>>>,
    n: Option<u32>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

impl<'a> Request<'a> {
    /// # Errors
    /// What OpenAI answers to such a body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let request: Self = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), ApiError> {
        if self.model.as_ref().is_none_or(|model| model.is_empty()) {
            return Err(missing("model"));
        }
        match self.messages.as_deref() {
            None => return Err(missing("messages")),
            Some([]) => return Err(empty_messages()),
            Some(_) => {}
        }
        at_least_one("max_tokens", self.max_tokens)?;
        at_least_one("max_completion_tokens", self.max_completion_tokens)?;
        self.check_choices()
    }

    fn check_choices(&self) -> Result<(), ApiError> {
        match self.n {
            None | Some(1) => Ok(()),
            Some(n) => {
                let words = format!("Unsupported value: the simulator makes one choice, not {n}.");
                Err(ApiError::invalid(Some("n"), Some("unsupported_value"), words))
            }
        }
    }

    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// The most tokens an answer may have, if the client said so.
    pub(super) fn max_tokens(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// The content of the last user message, its parts put together; empty when there is none.
    pub(super) fn into_prompt(self) -> Cow<'a, str> {
        let messages = self.messages.unwrap_or_default();
        match messages.into_iter().rev().find(|message| message.role == "user") {
            Some(Message { content: Some(content), .. }) => content.into_text(),
            _ => Cow::Borrowed(""),
        }
    }

    /// What the prompt costs.
    pub(super) fn prompt_tokens(&self) -> usize {
        let messages = self.messages.as_deref().unwrap_or_default();
        let contents = messages.iter().flat_map(|message| &message.content);
        input::tokens(contents.map(Content::bytes).sum())
    }
}

fn empty_messages() -> ApiError {
    let words = "Invalid 'messages': empty array. Expected an array with minimum length 1, but \
                 got an empty array instead.";
    ApiError::invalid(Some("messages"), Some("empty_array"), words)
}
