//! The body of a request.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value, json, value::RawValue};
use taskfleet_core::{
    failure::FailureKind,
    outcome::Failure,
    task::{Content, RESERVED_PARAMETERS},
};

use super::json;
use crate::api::failure;

/// The body of a streamed chat completion for a prompt. It owns the prompt and goes with it
/// as soon as it is written.
#[derive(Serialize)]
pub(super) struct ContentBody {
    model: String,
    messages: Vec<Message>,
    stream: bool,
    #[serde(flatten)]
    parameters: Map<String, Value>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

impl ContentBody {
    /// # Errors
    /// `invalid_request` when the parameters are no object or set what is ours.
    pub(super) fn new(content: Content, default_model: &str) -> Result<Self, Failure> {
        let mut parameters = parameters(content.parameters_json.as_deref())?;
        ask_for_usage(&mut parameters);
        let system = content.instructions.map(|content| Message { role: "system", content });
        let user = Message { role: "user", content: content.text };
        Ok(Self {
            model: content.model.unwrap_or_else(|| default_model.to_owned()),
            messages: system.into_iter().chain([user]).collect(),
            stream: true,
            parameters,
        })
    }

    /// The model that is called.
    pub(super) fn model(&self) -> &str {
        &self.model
    }
}

fn parameters(text: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let Some(text) = text else {
        return Ok(Map::new());
    };
    let parameters: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        invalid(format!("parameters_json: is not a JSON object, at column {}", error.column()))
    })?;
    match RESERVED_PARAMETERS.into_iter().find(|name| parameters.contains_key(*name)) {
        Some(name) => Err(invalid(format!("parameters_json: must not set `{name}`"))),
        None => Ok(parameters),
    }
}

/// Without it a stream does not say what it cost.
fn ask_for_usage(parameters: &mut Map<String, Value>) {
    let options = parameters.entry("stream_options").or_insert_with(|| json!({}));
    match options {
        Value::Object(options) => {
            options.insert("include_usage".into(), Value::Bool(true));
        }
        other => *other = json!({"include_usage": true}),
    }
}

/// What of a whole request is looked at; the rest is between client and provider.
#[derive(Deserialize)]
struct Asked<'a> {
    stream: Option<bool>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

/// Whether a whole request can be forwarded; the model that it names.
///
/// # Errors
/// `invalid_request` when it is no JSON object or asks for a stream.
pub(super) fn check(body: &str) -> Result<Option<String>, Failure> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(body) {
        return Err(invalid(format!("request.body: is not JSON, at column {}", error.column())));
    }
    if !body.trim_start().starts_with('{') {
        return Err(invalid("request.body: is not a JSON object"));
    }
    match serde_json::from_str::<Asked<'_>>(body) {
        Ok(Asked { stream: None | Some(false), model }) => Ok(json::text(model)),
        _ => Err(invalid("request.body: asks for a stream; leave `stream` out")),
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    failure(FailureKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(content: Content) -> Value {
        let body = ContentBody::new(content, "default").map_err(|failure| failure.message);
        serde_json::to_value(body.unwrap()).unwrap()
    }

    fn with_parameters(parameters: &str) -> Content {
        let parameters_json = Some(parameters.to_owned());
        Content { text: "hi".into(), parameters_json, ..Content::default() }
    }

    #[test]
    fn a_prompt_becomes_a_streamed_chat_that_tells_its_usage() {
        let content = Content { text: "hi".into(), ..Content::default() };
        let expected = json!({
            "model": "default",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        assert_eq!(body(content), expected);
    }

    #[test]
    fn instructions_come_first_and_parameters_are_merged() {
        let content = Content {
            instructions: Some("be kind".into()),
            model: Some("m".into()),
            ..with_parameters(r#"{"temperature": 0, "stream_options": {"x": 1}}"#)
        };
        let body = body(content);
        assert_eq!(body["messages"][0], json!({"role": "system", "content": "be kind"}));
        assert_eq!((&body["model"], &body["temperature"]), (&json!("m"), &json!(0)));
        assert_eq!(body["stream_options"], json!({"x": 1, "include_usage": true}));
    }

    #[test]
    fn parameters_cannot_replace_what_the_task_says() {
        for parameters in [r#"{"messages": []}"#, r#"{"stream": false}"#, r#"{"model": "x"}"#, "[]"]
        {
            let refused = ContentBody::new(with_parameters(parameters), "m").err().unwrap();
            assert_eq!(refused.kind, FailureKind::InvalidRequest, "{parameters}");
        }
    }

    #[test]
    fn a_whole_request_is_an_object_that_does_not_stream() {
        let good = " { \"b\":1.0,\n \"model\" : \"\\u00fc\", \"stream\": false }\n";
        assert_eq!(check(good), Ok(Some("ü".into())));
        assert_eq!(check(r#"{"stream": null, "model": 7}"#), Ok(None));
        let twice = r#"{"stream": false, "stream": true}"#;
        for wrong in ["", "{", "[]", r#"{"stream": true}"#, r#"{"stream": 1}"#, twice] {
            assert!(check(wrong).is_err(), "{wrong} was taken");
        }
    }
}
