//! `/v1/responses`: what it is asked and what it answers.

mod events;
mod frame;
mod request;

use crate::app::App;
use crate::call::{self, Asked};
use crate::errors::ApiError;
pub(crate) use events::Events;
pub(crate) use frame::Frame;
use request::Request;

/// # Errors
/// What OpenAI answers to such a body.
pub(crate) fn read<'a>(app: &App, body: &'a [u8]) -> Result<Asked<'a>, ApiError> {
    let request = Request::parse(body)?;
    let prompt_tokens = request.prompt_tokens();
    let frame = Frame::new(app, request.model()?, prompt_tokens);
    Ok(Asked {
        model: request.model()?.to_owned(),
        prompt_tokens,
        max_tokens: request.max_tokens(),
        stream: request.streams(),
        frame: call::Frame::Response(frame),
        prompt: request.into_prompt(),
    })
}
