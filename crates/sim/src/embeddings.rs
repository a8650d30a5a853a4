//! `/v1/embeddings`: what it is asked and what it answers.

mod request;
mod vector;

use crate::app::App;
use crate::call::{self, Asked};
use crate::errors::ApiError;
use crate::json::quoted;
use request::{Encoding, Request};

/// # Errors
/// What OpenAI answers to such a body.
pub(crate) fn read<'a>(_: &App, body: &'a [u8]) -> Result<Asked<'a>, ApiError> {
    let request = Request::parse(body)?;
    let inputs = request.inputs();
    Ok(Asked {
        prompt: inputs.concat().into(),
        model: request.model()?.to_owned(),
        prompt_tokens: request.prompt_tokens(),
        max_tokens: None,
        stream: false,
        frame: call::Frame::Embeddings(Frame {
            model: quoted(request.model()?),
            dimensions: request.dimensions()?,
            encoding: request.encoding(),
            prompt_tokens: request.prompt_tokens(),
            inputs,
        }),
    })
}

/// What an answer is made of: a vector for each input.
#[derive(Debug)]
pub(crate) struct Frame {
    /// As JSON.
    model: String,
    inputs: Vec<String>,
    dimensions: usize,
    encoding: Encoding,
    prompt_tokens: usize,
}

impl Frame {
    /// The answer; with or without its vectors.
    pub(crate) fn whole(&self, with_data: bool) -> String {
        let Self { model, prompt_tokens: tokens, .. } = self;
        let data = if with_data { format!(r#""data":[{}],"#, self.data()) } else { String::new() };
        let usage = format!(r#"{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}"#);
        format!(r#"{{"object":"list",{data}"model":{model},"usage":{usage}}}"#)
    }

    fn data(&self) -> String {
        let one = |(index, input): (usize, &String)| {
            let vector = vector::of(input, self.dimensions);
            let vector = match self.encoding {
                Encoding::Float => vector::floats(&vector),
                Encoding::Base64 => quoted(&vector::base64(&vector)),
            };
            format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#)
        };
        self.inputs.iter().enumerate().map(one).collect::<Vec<_>>().join(",")
    }
}
