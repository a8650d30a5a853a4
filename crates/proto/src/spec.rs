//! A submitted task, from the wire: the one place where what clients say is checked.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use prost_types::Duration as WireDuration;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use taskfleet_core::{
    limits,
    retry::RetryPolicy,
    task::{Content, RESERVED_PARAMETERS, Request, TaskSpec, TraceContext, Work},
};

use crate::{
    FieldError,
    names::{MAX_KEY, MAX_NAME, too_long, wrong_labels},
    parse_id, v1,
    work::{endpoint, non_empty},
};

/// The longest name of a model.
const MAX_MODEL_BYTES: usize = 256;

/// The task that a client asks for, with the defaults filled in.
///
/// # Errors
/// Every field that is wrong.
pub fn read_spec(wire: v1::TaskSpec) -> Result<TaskSpec, Vec<FieldError>> {
    let mut errors = Vec::new();
    let spec = check(wire, &mut errors);
    match spec {
        Some(spec) if errors.is_empty() => Ok(spec),
        _ => Err(errors),
    }
}

fn check(mut wire: v1::TaskSpec, errors: &mut Vec<FieldError>) -> Option<TaskSpec> {
    check_sizes(&wire, errors);
    let mut keep = Keep { errors };
    if !(limits::MIN_PRIORITY..=limits::MAX_PRIORITY).contains(&wire.priority) {
        keep.error("priority", "must be from -100 (last) to 100 (first)");
    }
    let attempt_timeout = keep.ok(duration(
        "attempt_timeout",
        wire.attempt_timeout.as_ref(),
        limits::DEFAULT_ATTEMPT_TIMEOUT,
        limits::MIN_TIMEOUT..=limits::MAX_ATTEMPT_TIMEOUT,
    ));
    let deadline = keep.ok(duration(
        "deadline",
        wire.deadline.as_ref(),
        limits::DEFAULT_DEADLINE,
        limits::MIN_TIMEOUT..=limits::MAX_DEADLINE,
    ));
    let parent_id = match wire.parent_id.as_str() {
        "" => Some(None),
        text => keep.ok(parse_id("parent_id", text)).map(Some),
    };
    let retry = keep.ok(retry_policy(wire.retry.take()));
    let trace = trace_context(&mut wire);
    let work = keep.ok(read_submitted_work(&mut wire));
    Some(TaskSpec {
        work: work?,
        idempotency_key: non_empty(wire.idempotency_key),
        priority: wire.priority,
        tenant: wire.tenant,
        group: wire.group,
        client_ref: non_empty(wire.client_ref),
        parent_id: parent_id?,
        labels: wire.labels.into_iter().collect(),
        attempt_timeout: attempt_timeout?,
        deadline: deadline?,
        retry: retry?,
        limit_key: non_empty(wire.limit_key),
        trace,
        retry_of: None,
    })
}

/// Collects errors and goes on, so that a client learns of all of them at once.
struct Keep<'a> {
    errors: &'a mut Vec<FieldError>,
}

impl Keep<'_> {
    fn ok<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    fn error(&mut self, field: &str, problem: &str) {
        self.errors.push(FieldError::new(field, problem));
    }
}

fn check_sizes(wire: &v1::TaskSpec, errors: &mut Vec<FieldError>) {
    let texts = [
        ("idempotency_key", &wire.idempotency_key, MAX_KEY),
        ("tenant", &wire.tenant, MAX_NAME),
        ("group", &wire.group, MAX_NAME),
        ("client_ref", &wire.client_ref, 256),
        ("limit_key", &wire.limit_key, 256),
        ("model", &wire.model, MAX_MODEL_BYTES),
        ("traceparent", &wire.traceparent, 256),
        ("tracestate", &wire.tracestate, 1_024),
    ];
    errors.extend(texts.into_iter().filter_map(|(field, text, max)| too_long(field, text, max)));
    errors.extend(wrong_labels(&wire.labels));
}

fn read_submitted_work(wire: &mut v1::TaskSpec) -> Result<Work, FieldError> {
    match (wire.request.take(), wire.content.is_empty()) {
        (Some(_), false) => Err(FieldError::new("content", "is set beside request: set one")),
        (None, true) => Err(FieldError::new("content", "is empty: a prompt is needed")),
        (Some(request), true) => read_request(wire, request).map(Work::Request),
        (None, false) => read_content(wire).map(Work::Content),
    }
}

fn read_content(wire: &mut v1::TaskSpec) -> Result<Content, FieldError> {
    limited("content", wire.content.len() + wire.instructions.len() + wire.parameters_json.len())?;
    if !wire.parameters_json.is_empty() {
        let given = json_object("parameters_json", &wire.parameters_json)?;
        if let Some(name) = RESERVED_PARAMETERS.into_iter().find(|name| given.contains(*name)) {
            let problem = format!("must not set `{name}`: the task's own fields say it");
            return Err(FieldError::new("parameters_json", problem));
        }
    }
    Ok(Content {
        text: std::mem::take(&mut wire.content),
        model: non_empty(std::mem::take(&mut wire.model)),
        instructions: non_empty(std::mem::take(&mut wire.instructions)),
        parameters_json: non_empty(std::mem::take(&mut wire.parameters_json)),
    })
}

fn read_request(wire: &v1::TaskSpec, request: v1::HttpRequest) -> Result<Request, FieldError> {
    let content_only = [
        ("model", &wire.model),
        ("instructions", &wire.instructions),
        ("parameters_json", &wire.parameters_json),
    ];
    for (field, text) in content_only {
        if !text.is_empty() {
            return Err(FieldError::new(field, "goes with content; a request says it in its body"));
        }
    }
    limited("request.body", request.body.len())?;
    json_object("request.body", &request.body)?;
    let Ok(Body { stream: None | Some(false), model }) = serde_json::from_str(&request.body) else {
        let problem = "asks for a stream: leave `stream` out, the result is the whole answer";
        return Err(FieldError::new("request.body", problem));
    };
    let endpoint = endpoint("request.endpoint", &request.endpoint)?;
    let model = model_in(model)?;
    Ok(Request { endpoint, body: request.body, model })
}

/// What of a request's body is looked at; the rest may be megabytes that nobody here needs.
#[derive(Deserialize)]
struct Body<'a> {
    stream: Option<bool>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

/// What is no text is the model API's to refuse.
fn model_in(field: Option<&RawValue>) -> Result<Option<String>, FieldError> {
    let model = field.and_then(|json| serde_json::from_str(json.get()).ok());
    let model: String = model.unwrap_or_default();
    if model.len() > MAX_MODEL_BYTES {
        let problem = format!("names a model longer than {MAX_MODEL_BYTES} bytes");
        return Err(FieldError::new("request.body", problem));
    }
    Ok(non_empty(model))
}

fn limited(field: &str, bytes: usize) -> Result<(), FieldError> {
    if bytes <= limits::MAX_CONTENT_BYTES {
        return Ok(());
    }
    let max = limits::MAX_CONTENT_BYTES >> 20;
    Err(FieldError::new(field, format!("is {bytes} bytes; at most {max} MiB are taken")))
}

/// The names of a JSON object's fields.
fn json_object(field: &str, text: &str) -> Result<HashSet<String>, FieldError> {
    let object: Result<HashMap<String, IgnoredAny>, _> = serde_json::from_str(text);
    // serde_json's own message may quote the input, which may be a prompt.
    object.map(|fields| fields.into_keys().collect()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        FieldError::new(field, format!("is not a JSON object (line {line}, column {column})"))
    })
}

fn retry_policy(wire: Option<v1::RetryPolicy>) -> Result<RetryPolicy, FieldError> {
    let (wire, default) = (wire.unwrap_or_default(), RetryPolicy::default());
    let max_attempts = wire.max_attempts.unwrap_or(default.max_attempts);
    if !(1..=limits::MAX_ATTEMPTS).contains(&max_attempts) {
        return Err(FieldError::new("retry.max_attempts", "must be from 1 to 20"));
    }
    let longest = Duration::ZERO..=Duration::from_secs(3_600);
    let backoff = |field, wire: Option<WireDuration>, default| {
        duration(field, wire.as_ref(), default, longest.clone())
    };
    let initial = default.initial_backoff;
    Ok(RetryPolicy {
        max_attempts,
        initial_backoff: backoff("retry.initial_backoff", wire.initial_backoff, initial)?,
        max_backoff: backoff("retry.max_backoff", wire.max_backoff, default.max_backoff)?,
    })
}

fn duration(
    field: &str,
    wire: Option<&WireDuration>,
    default: Duration,
    range: std::ops::RangeInclusive<Duration>,
) -> Result<Duration, FieldError> {
    let Some(wire) = wire else { return Ok(default) };
    let duration = Duration::try_from(*wire).ok().filter(|duration| range.contains(duration));
    duration.ok_or_else(|| {
        let (from, to) = (range.start().as_secs(), range.end().as_secs());
        FieldError::new(field, format!("must be from {from} to {to} seconds"))
    })
}

fn trace_context(wire: &mut v1::TaskSpec) -> Option<TraceContext> {
    let traceparent = non_empty(std::mem::take(&mut wire.traceparent))?;
    Some(TraceContext { traceparent, tracestate: std::mem::take(&mut wire.tracestate) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(wire: v1::TaskSpec) -> Vec<String> {
        read_spec(wire).unwrap_err().into_iter().map(|error| error.field).collect()
    }

    fn prompt() -> v1::TaskSpec {
        v1::TaskSpec { content: "hi".into(), ..v1::TaskSpec::default() }
    }

    fn request(endpoint: &str, body: &str) -> v1::TaskSpec {
        let request = v1::HttpRequest { endpoint: endpoint.into(), body: body.into() };
        v1::TaskSpec { request: Some(request), ..v1::TaskSpec::default() }
    }

    #[test]
    fn a_prompt_alone_is_a_whole_task() {
        let spec = read_spec(prompt()).unwrap();
        assert_eq!(spec.deadline, limits::DEFAULT_DEADLINE);
        assert_eq!(spec.retry, RetryPolicy::default());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let wire = v1::TaskSpec {
            priority: 101,
            attempt_timeout: Some(WireDuration { seconds: 0, nanos: 1 }),
            deadline: Some(WireDuration { seconds: -1, nanos: 0 }),
            parent_id: "me".into(),
            ..v1::TaskSpec::default()
        };
        let expected = ["priority", "attempt_timeout", "deadline", "parent_id", "content"];
        assert_eq!(fields(wire), expected);
    }

    #[test]
    fn parameters_cannot_set_what_the_task_says_itself() {
        for name in RESERVED_PARAMETERS {
            let parameters_json = format!(r#"{{"temperature": 0, "{name}": null}}"#);
            let refused = read_spec(v1::TaskSpec { parameters_json, ..prompt() }).unwrap_err();
            assert_eq!(refused[0].field, "parameters_json");
            assert!(refused[0].problem.contains(name), "{refused:?}");
        }
        let parameters_json = r#"{"temperature": 0}"#.into();
        assert!(read_spec(v1::TaskSpec { parameters_json, ..prompt() }).is_ok());
    }

    #[test]
    fn content_and_request_exclude_each_other() {
        let both = v1::TaskSpec { content: "hi".into(), ..request("/v1/chat/completions", "{}") };
        assert_eq!(fields(both), ["content"]);
    }

    #[test]
    fn an_error_never_quotes_what_may_be_a_prompt() {
        let quoted = request("/v1/chat/completions", r#""my secret prompt""#);
        let wrong = v1::TaskSpec { parameters_json: r#""my secret prompt""#.into(), ..prompt() };
        for wire in [quoted, wrong] {
            let told = format!("{:?}", read_spec(wire).unwrap_err());
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn bodies_are_json_objects_that_do_not_stream() {
        let chat = "/v1/chat/completions";
        assert_eq!(fields(request(chat, "[]")), ["request.body"]);
        assert_eq!(fields(request(chat, r#"{"stream": true}"#)), ["request.body"]);
        assert_eq!(fields(request("/v1/images", "{}")), ["request.endpoint"]);
        assert_eq!(fields(request(chat, r#"{"stream": 1}"#)), ["request.body"]);
        for good in [r#"{"stream": false}"#, r#"{"stream": null}"#, " {}\n"] {
            assert!(read_spec(request(chat, good)).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_request_names_its_model_in_its_body() {
        let model = |body| {
            let spec = read_spec(request("/v1/embeddings", body)).unwrap();
            spec.work.model().map(str::to_owned)
        };
        assert_eq!(model(r#"{"model": "small"}"#).as_deref(), Some("small"));
        assert_eq!(
            [model("{}"), model(r#"{"model": ""}"#), model(r#"{"model": 7}"#)],
            [const { None }; 3]
        );
        let long = format!(r#"{{"model": "{}"}}"#, "m".repeat(257));
        assert_eq!(fields(request("/v1/embeddings", &long)), ["request.body"]);
    }
}
