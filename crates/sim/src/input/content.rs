//! The content of a message, as chat completions and responses write it.

use std::borrow::Cow;

use serde::Deserialize;

/// A text, or parts of which some are text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    #[serde(borrow)]
    Parts(Vec<Part<'a>>),
}

/// A part; one that is no text, such as an image, has none.
#[derive(Debug, Deserialize)]
pub(crate) struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

impl<'a> Content<'a> {
    /// The text, its parts put together.
    pub(crate) fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.iter().filter_map(|part| part.text.as_deref()).collect(),
        }
    }

    /// The length of its text.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Parts(parts) => parts.iter().flat_map(|part| &part.text).map(|t| t.len()).sum(),
        }
    }
}
