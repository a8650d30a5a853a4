//! The fields of a request that the simulator looks at, checked as the real API checks them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::errors::ApiError;
use crate::input::{self, Content, at_least_one, missing, unreadable};

/// A request for a response; all other fields are taken and ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<Input<'a>>,
    #[serde(borrow)]
    instructions: Option<Cow<'a, str>>,
    stream: Option<bool>,
    max_output_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    #[serde(borrow)]
    Items(Vec<Item<'a>>),
}

/// A message, or another item that the simulator has no eye for.
#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

impl<'a> Request<'a> {
    /// # Errors
    /// What OpenAI answers to such a body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let request: Self = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        request.model()?;
        if request.input.is_none() {
            return Err(missing("input"));
        }
        at_least_one("max_output_tokens", request.max_output_tokens)?;
        Ok(request)
    }

    /// # Errors
    /// It names none.
    pub(super) fn model(&self) -> Result<&str, ApiError> {
        input::model(self.model.as_deref())
    }

    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// The most tokens an answer may have, if the client said so.
    pub(super) fn max_tokens(&self) -> Option<u32> {
        self.max_output_tokens
    }

    /// What instructions and input cost.
    pub(super) fn prompt_tokens(&self) -> usize {
        let instructions = self.instructions.as_ref().map_or(0, |text| text.len());
        input::tokens(instructions + self.input.as_ref().map_or(0, Input::bytes))
    }

    /// The input, or the content of its last user message, parts put together.
    pub(super) fn into_prompt(self) -> Cow<'a, str> {
        let items = match self.input {
            Some(Input::Text(text)) => return text,
            Some(Input::Items(items)) => items,
            None => Vec::new(),
        };
        let is_user = |item: &Item<'_>| item.role.as_deref() == Some("user");
        let content = items.into_iter().rev().find(is_user).and_then(|item| item.content);
        content.map(Content::into_text).unwrap_or_default()
    }
}

impl Input<'_> {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Items(items) => {
                items.iter().flat_map(|item| &item.content).map(Content::bytes).sum()
            }
        }
    }
}
