//! One line of JSON: a task as its author wrote it.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use taskfleet_proto::{
    FieldError,
    v1::{HttpRequest, RetryPolicy, TaskSpec},
};

/// The fields of a line. Two sets of names mean a request: ours, and those of the OpenAI
/// Batch API's input files.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    custom_id: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    endpoint: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    priority: Option<&'a RawValue>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    timeout: Option<&'a RawValue>,
    #[serde(borrow)]
    deadline: Option<&'a RawValue>,
    #[serde(borrow)]
    max_attempts: Option<&'a RawValue>,
}

/// The task that a line describes; what it does not say is as in `base`.
///
/// # Errors
/// Every field that is wrong. Never shows a value.
pub(super) fn read(line: &str, base: &TaskSpec) -> Result<TaskSpec, Vec<FieldError>> {
    let fields = fields(line).map_err(|error| vec![error])?;
    let mut reading = Reading { errors: Vec::new() };
    let spec = reading.spec(&fields, base.clone());
    if reading.errors.is_empty() { Ok(spec) } else { Err(reading.errors) }
}

fn fields(line: &str) -> Result<Fields<'_>, FieldError> {
    let wrong = |problem: String| Err(FieldError::new("the line", problem));
    match line.trim_start().bytes().next() {
        Some(b'{') => {}
        Some(b'[') => {
            return wrong("is a JSON array: one object a line is wanted, without commas".into());
        }
        _ => return wrong("is not a JSON object".into()),
    }
    serde_json::from_str(line).or_else(|error| match error.classify() {
        // Our own structure's words: they name fields, never values.
        serde_json::error::Category::Data => {
            let words = error.to_string();
            let words = words.split(" at line").next().unwrap_or_default();
            let article = if words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            wrong(format!("has {article} {words}"))
        }
        _ => wrong(format!("is not valid JSON (column {})", error.column())),
    })
}

/// Collects errors and goes on, so that the author learns of all of them at once.
struct Reading {
    errors: Vec<FieldError>,
}

impl Reading {
    fn spec(&mut self, fields: &Fields<'_>, base: TaskSpec) -> TaskSpec {
        let mut spec = base;
        if let Some(id) = self.one("id", fields.id, "custom_id", fields.custom_id) {
            spec.client_ref = self.id(id).unwrap_or_default();
        }
        if let Some(content) = self.one("content", fields.content, "prompt", fields.prompt) {
            spec.content = self.read("content", content, "text").unwrap_or_default();
        }
        spec.request = self.request(fields);
        self.set("model", fields.model, "text", &mut spec.model);
        self.set("instructions", fields.instructions, "text", &mut spec.instructions);
        self.set("priority", fields.priority, "a whole number", &mut spec.priority);
        if let Some(parameters) = fields.parameters {
            parameters.get().clone_into(&mut spec.parameters_json);
        }
        if let Some(labels) = fields.labels {
            let labels = self.read::<std::collections::HashMap<_, _>>(
                "labels",
                labels,
                "an object whose values are texts",
            );
            spec.labels.extend(labels.unwrap_or_default());
        }
        spec.attempt_timeout = self.time("timeout", fields.timeout).or(spec.attempt_timeout);
        spec.deadline = self.time("deadline", fields.deadline).or(spec.deadline);
        if let Some(attempts) = fields.max_attempts {
            let max_attempts = self.read("max_attempts", attempts, "a whole number");
            spec.retry = Some(RetryPolicy { max_attempts, ..spec.retry.unwrap_or_default() });
        }
        spec
    }

    fn request(&mut self, fields: &Fields<'_>) -> Option<HttpRequest> {
        if let Some(method) = fields.method {
            let method: Option<String> = self.read("method", method, "text");
            if method.is_some_and(|method| !method.eq_ignore_ascii_case("post")) {
                self.wrong("method", "must be POST");
            }
        }
        let endpoint = self.one("endpoint", fields.endpoint, "url", fields.url);
        match (endpoint, fields.body) {
            (None, None) => None,
            (Some(endpoint), Some(body)) => Some(HttpRequest {
                endpoint: self.read("endpoint", endpoint, "text").unwrap_or_default(),
                body: self.body(body),
            }),
            (None, Some(_)) => {
                self.wrong("endpoint", "is missing: a body goes to an endpoint");
                None
            }
            (Some(_), None) => {
                self.wrong("body", "is missing: an endpoint is sent a body");
                None
            }
        }
    }

    /// An object goes out as it stands; a text is the body itself.
    fn body(&mut self, raw: &RawValue) -> String {
        if raw.get().starts_with('"') {
            return self.read("body", raw, "a JSON object").unwrap_or_default();
        }
        raw.get().to_owned()
    }

    /// Of two names for one thing at most one may be there.
    fn one<'a>(
        &mut self,
        name: &str,
        first: Option<&'a RawValue>,
        other: &str,
        second: Option<&'a RawValue>,
    ) -> Option<&'a RawValue> {
        if first.is_some() && second.is_some() {
            self.wrong(name, &format!("stands beside {other}, which means the same"));
        }
        first.or(second)
    }

    fn id(&mut self, raw: &RawValue) -> Option<String> {
        let number = || Some(serde_json::from_str::<i64>(raw.get()).ok()?.to_string());
        let id = serde_json::from_str(raw.get()).ok().or_else(number);
        if id.as_ref().is_none_or(String::is_empty) {
            self.wrong("id", "must be a text that is not empty, or a whole number");
        }
        id
    }

    fn time(&mut self, name: &str, raw: Option<&RawValue>) -> Option<prost_types::Duration> {
        let text: String = self.read(name, raw?, "a time such as \"90s\"")?;
        let time: Option<Duration> = humantime::parse_duration(&text).ok();
        let time = time.and_then(|time| prost_types::Duration::try_from(time).ok());
        if time.is_none() {
            self.wrong(name, "must be a time such as \"90s\"");
        }
        time
    }

    fn set<T: DeserializeOwned>(
        &mut self,
        name: &str,
        raw: Option<&RawValue>,
        kind: &str,
        to: &mut T,
    ) {
        if let Some(value) = raw.and_then(|raw| self.read(name, raw, kind)) {
            *to = value;
        }
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, raw: &RawValue, kind: &str) -> Option<T> {
        // serde_json's own words may quote the value, which may be a prompt.
        let value = serde_json::from_str(raw.get()).ok();
        if value.is_none() {
            self.wrong(name, &format!("must be {kind}"));
        }
        value
    }

    fn wrong(&mut self, name: &str, problem: &str) {
        self.errors.push(FieldError::new(name, problem));
    }
}

#[cfg(test)]
mod tests;
