//! The span of one call to the model API, by OpenTelemetry's semantic conventions for
//! generative AI as of version 1.37 (August 2025).

use taskfleet_core::{
    outcome::Call,
    task::{Endpoint, TraceContext, Work},
};
use taskfleet_runtime::trace::{self, Array, Attribute, Kind, Place, Span, StringValue, Value};

use super::{Identity, Job, execution::Ending};
use crate::api::Progress;

/// A call that goes on, when spans are written.
pub(super) struct CallSpan {
    place: Place,
    parent: Option<Place>,
    began_ms: u64,
    operation: &'static str,
}

impl CallSpan {
    /// Before the call is made: what it carries along then says that it stands here.
    pub(super) fn begin(job: &mut Job, began_ms: u64) -> Option<Self> {
        if !trace::is_on() {
            return None;
        }
        let said = job.trace.as_ref();
        let parent = said.and_then(|said| Place::read(&said.traceparent, &said.tracestate));
        let place = Place::somewhere_under(parent.as_ref())?;
        let (traceparent, tracestate) = (place.traceparent(), place.tracestate());
        job.trace = Some(TraceContext { traceparent, tracestate });
        Some(Self { place, parent, began_ms, operation: operation(&job.work) })
    }

    /// The call is over.
    pub(super) fn end(
        self,
        identity: &Identity,
        ending: &Ending,
        progress: &Progress,
        ended_ms: u64,
    ) {
        let model = trace::name(&progress.asked_model());
        let text = |key: &'static str, said: &str| Attribute::new(key, trace::name(said));
        let mut attributes = vec![
            Attribute::new("gen_ai.operation.name", self.operation),
            Attribute::new("gen_ai.provider.name", "openai"),
            Attribute::new("gen_ai.request.model", model.clone()),
            text("taskfleet.task.id", &identity.task()),
            Attribute::new("taskfleet.lease", number(identity.lease().number())),
        ];
        attributes.extend(known(&progress.call()));
        Span {
            name: format!("{} {model}", self.operation).trim_end().to_owned(),
            kind: Kind::Client,
            place: &self.place,
            parent: self.parent.as_ref(),
            began_ms: self.began_ms,
            ended_ms,
            attributes,
            failed: ending.failed(),
        }
        .write();
    }
}

/// What is known of a call beyond what was asked.
fn known(call: &Call) -> Vec<Attribute> {
    let mut known = Vec::new();
    if !call.served_model.is_empty() {
        known.push(Attribute::new("gen_ai.response.model", trace::name(&call.served_model)));
    }
    if !call.finish_reason.is_empty() {
        let reasons = vec![StringValue::from(trace::name(&call.finish_reason))];
        let reasons = Value::Array(Array::String(reasons));
        known.push(Attribute::new("gen_ai.response.finish_reasons", reasons));
    }
    if let Some(usage) = call.usage {
        let (input, output) = (number(usage.input_tokens), number(usage.output_tokens));
        known.push(Attribute::new("gen_ai.usage.input_tokens", input));
        known.push(Attribute::new("gen_ai.usage.output_tokens", output));
    }
    if let Some(status) = call.http_status {
        known.push(Attribute::new("http.response.status_code", i64::from(status)));
    }
    known
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What kind of call it is, by the conventions' names.
pub(super) fn operation(work: &Work) -> &'static str {
    match work {
        Work::Content(_) => "chat",
        Work::Request(request) => match request.endpoint {
            Endpoint::ChatCompletions | Endpoint::Responses => "chat",
            Endpoint::Embeddings => "embeddings",
        },
    }
}
