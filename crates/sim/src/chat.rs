//! `/v1/chat/completions`: what it is asked and what it answers.

mod frame;
mod request;

use crate::app::App;
use crate::call::{self, Asked};
use crate::errors::ApiError;
pub(crate) use frame::{Chunks, Frame};
use request::Request;

/// # Errors
/// What OpenAI answers to such a body.
pub(crate) fn read<'a>(app: &App, body: &'a [u8]) -> Result<Asked<'a>, ApiError> {
    let request = Request::parse(body)?;
    let prompt_tokens = request.prompt_tokens();
    let frame = Frame::new(app, request.model(), prompt_tokens, request.wants_usage());
    Ok(Asked {
        model: request.model().to_owned(),
        prompt_tokens,
        max_tokens: request.max_tokens(),
        stream: request.streams(),
        frame: call::Frame::Chat(frame),
        prompt: request.into_prompt(),
    })
}
