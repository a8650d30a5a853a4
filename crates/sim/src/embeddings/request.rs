//! The fields of a request that the simulator looks at, checked as the real API checks them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::errors::ApiError;
use crate::input::{self, missing, unreadable};

/// Unless the request says otherwise; as text-embedding-3-small.
const DIMENSIONS: usize = 1536;
const MAX_DIMENSIONS: usize = 3072;
const MAX_INPUTS: usize = 2048;

/// A request for embeddings; all other fields are taken and ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<Input<'a>>,
    dimensions: Option<usize>,
    encoding_format: Option<Encoding>,
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    #[default]
    Float,
    /// Little-endian 32-bit floats.
    Base64,
}

/// One text or several, or the same as tokens.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    #[serde(borrow)]
    Texts(Vec<Cow<'a, str>>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

impl<'a> Request<'a> {
    /// # Errors
    /// What OpenAI answers to such a body.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let request: Self = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        request.model()?;
        request.dimensions()?;
        let inputs = request.input.as_ref().ok_or_else(|| missing("input"))?.len();
        if (1..=MAX_INPUTS).contains(&inputs) {
            return Ok(request);
        }
        let words =
            format!("Invalid 'input': expected from 1 to {MAX_INPUTS} items that are not empty.");
        Err(ApiError::invalid(Some("input"), Some("invalid_value"), words))
    }

    /// # Errors
    /// It names none.
    pub(super) fn model(&self) -> Result<&str, ApiError> {
        input::model(self.model.as_deref())
    }

    /// Numbers in each vector.
    ///
    /// # Errors
    /// Too many, or none.
    pub(super) fn dimensions(&self) -> Result<usize, ApiError> {
        let dimensions = self.dimensions.unwrap_or(DIMENSIONS);
        if (1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Ok(dimensions);
        }
        let words = format!("Invalid 'dimensions': expected a value from 1 to {MAX_DIMENSIONS}.");
        Err(ApiError::invalid(Some("dimensions"), Some("invalid_value"), words))
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding_format.unwrap_or_default()
    }

    /// What stands for each input: its text, or its tokens written down.
    pub(super) fn inputs(&self) -> Vec<String> {
        match &self.input {
            None => Vec::new(),
            Some(Input::Text(text)) => vec![text.clone().into_owned()],
            Some(Input::Texts(texts)) => texts.iter().map(|text| text.to_string()).collect(),
            Some(Input::Tokens(tokens)) => vec![format!("{tokens:?}")],
            Some(Input::TokenLists(lists)) => {
                lists.iter().map(|tokens| format!("{tokens:?}")).collect()
            }
        }
    }

    pub(super) fn prompt_tokens(&self) -> usize {
        match &self.input {
            None => 0,
            Some(Input::Text(text)) => input::tokens(text.len()),
            Some(Input::Texts(texts)) => texts.iter().map(|text| input::tokens(text.len())).sum(),
            Some(Input::Tokens(tokens)) => tokens.len(),
            Some(Input::TokenLists(lists)) => lists.iter().map(Vec::len).sum(),
        }
    }
}

impl Input<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => usize::from(!text.is_empty()),
            Self::Texts(texts) => texts.len(),
            Self::Tokens(tokens) => usize::from(!tokens.is_empty()),
            Self::TokenLists(lists) => lists.len(),
        }
    }
}
