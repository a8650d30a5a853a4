//! Spans, written when what they tell of is over.
//!
//! A task outlives the process that accepted it, so its spans cannot be held open in memory:
//! a [`Place`] in a trace is computed from ids that are stored anyway, and the span is written
//! there once its end is known, with both times. Whoever computes it again gets the same.
//!
//! Without a collector nothing of this does anything: see [`is_on`].

use std::{
    cell::Cell,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
        TraceState, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SdkTracer, SdkTracerProvider, ShouldSample,
};
use tonic::metadata::MetadataMap;

/// Longer names are no names.
const LONGEST_NAME: usize = 128;

static TRACER: OnceLock<(SdkTracer, Box<dyn ShouldSample>)> = OnceLock::new();

/// What is said of a span; see the OpenTelemetry semantic conventions for names. Never a prompt,
/// a result, a key, or words of a provider; what comes from outside goes through [`name`].
pub type Attribute = KeyValue;
pub use opentelemetry::{Array, StringValue, Value, trace::SpanKind as Kind};

/// From now on spans are written.
pub(crate) fn begin(provider: &SdkTracerProvider, sampler: Box<dyn ShouldSample>) {
    // A second service in one process writes where the first one does.
    let _ = TRACER.set((provider.tracer("taskfleet"), sampler));
}

/// Whether spans go anywhere. Where they do not, nobody needs to gather what they would say.
#[must_use]
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// A place in a trace: what `traceparent` and `tracestate` say.
#[derive(Debug, Clone, PartialEq)]
pub struct Place(SpanContext);

impl Place {
    /// Reads the W3C headers; `None` when they say nothing valid, and then they are to be
    /// ignored (www.w3.org/TR/trace-context).
    #[must_use]
    pub fn read(traceparent: &str, tracestate: &str) -> Option<Self> {
        let (version, rest) = traceparent.split_at_checked(2)?;
        let mut parts = rest.strip_prefix('-')?.split('-');
        let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = (trace.len(), span.len(), flags.len()) == (32, 16, 2);
        let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let later = version > "00" && version != "ff";
        let known = version == "00" && parts.next().is_none();
        if !whole || ![version, trace, span, flags].into_iter().all(hex) || !(known || later) {
            return None;
        }
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        // Bad tracestate is left out; the place stands without it.
        let state: TraceState = tracestate.parse().unwrap_or_default();
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let context = SpanContext::new(trace, span, flags, true, state);
        context.is_valid().then_some(Self(context))
    }

    /// The place of a span with this id under `parent`, or at the root of a trace with this
    /// id. Whether it is sampled is decided here as the span's writing will decide it.
    /// `None` when no spans are written.
    #[must_use]
    pub fn under(parent: Option<&Self>, root: [u8; 16], span: [u8; 8]) -> Option<Self> {
        let (_, sampler) = TRACER.get()?;
        let trace = parent.map_or(TraceId::from_bytes(root), |parent| parent.0.trace_id());
        let over = context(parent);
        let asked = sampler.should_sample(Some(&over), trace, "", &SpanKind::Internal, &[], &[]);
        let sampled = asked.decision == SamplingDecision::RecordAndSample;
        let flags = TraceFlags::default().with_sampled(sampled);
        let span = SpanId::from_bytes(span);
        Some(Self(SpanContext::new(trace, span, flags, false, asked.trace_state)))
    }

    /// A place of its own under `parent`, or at the root of a trace of its own, for a span that
    /// nobody else has to find.
    #[must_use]
    pub fn somewhere_under(parent: Option<&Self>) -> Option<Self> {
        let random = RandomIdGenerator::default();
        let (root, span) = (random.new_trace_id(), random.new_span_id());
        Self::under(parent, root.to_bytes(), span.to_bytes())
    }

    /// The place that a call came from, by its metadata.
    #[must_use]
    pub fn of_caller(metadata: &MetadataMap) -> Option<Self> {
        let text = |name| metadata.get(name).and_then(|value| value.to_str().ok());
        Self::read(text("traceparent")?, text("tracestate").unwrap_or_default())
    }

    /// Whether a span that is written here goes anywhere.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    /// The `traceparent` header.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let (trace, span) = (self.0.trace_id(), self.0.span_id());
        format!("00-{trace}-{span}-{:02x}", self.0.trace_flags())
    }

    /// The `tracestate` header, at most 512 bytes as its standard demands of us; empty: none.
    #[must_use]
    pub fn tracestate(&self) -> String {
        let header = self.0.trace_state().header();
        if header.len() > 512 { String::new() } else { header }
    }
}

/// A name that came from outside, as an attribute may show it: what could be a sentence (it has
/// white space or is long) is shown as "other".
#[must_use]
pub fn name(said: &str) -> String {
    let is_name = said.len() <= LONGEST_NAME && said.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name { said.to_owned() } else { "other".to_owned() }
}

fn context(parent: Option<&Place>) -> Context {
    match parent {
        Some(parent) => Context::new().with_remote_span_context(parent.0.clone()),
        None => Context::new(),
    }
}

/// Something that is over.
#[derive(Debug)]
pub struct Span<'a> {
    /// What it is, for people; few different ones.
    pub name: String,
    /// Whose side of a call it is.
    pub kind: SpanKind,
    /// Where it stands.
    pub place: &'a Place,
    /// Where it stands under.
    pub parent: Option<&'a Place>,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// The kind of its failure, if it failed: one of a few words.
    pub failed: Option<&'static str>,
}

impl Span<'_> {
    /// Writes it, if its trace is sampled. Never waits.
    pub fn write(mut self) {
        let Some((tracer, _)) = TRACER.get() else { return };
        if let Some(failed) = self.failed {
            self.attributes.push(Attribute::new("error.type", failed));
        }
        let builder = tracer
            .span_builder(self.name)
            .with_kind(self.kind)
            .with_start_time(time(self.began_ms))
            .with_attributes(self.attributes);
        let ids = (self.place.0.trace_id(), self.place.0.span_id());
        let parent = context(self.parent);
        let mut span = given(ids, || tracer.build_with_context(builder, &parent));
        if self.failed.is_some() {
            // Without words: a failure's message may quote a prompt.
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(time(self.ended_ms.max(self.began_ms)));
    }
}

fn time(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms)
}

thread_local! {
    static GIVEN: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Spans built within `build`, on this thread, get these ids.
fn given<T>(ids: (TraceId, SpanId), build: impl FnOnce() -> T) -> T {
    GIVEN.set(Some(ids));
    let built = build();
    GIVEN.set(None);
    built
}

/// Gives spans the ids that were computed for them.
#[derive(Debug)]
pub(crate) struct GivenIds;

impl IdGenerator for GivenIds {
    fn new_trace_id(&self) -> TraceId {
        GIVEN.get().map_or_else(|| RandomIdGenerator::default().new_trace_id(), |ids| ids.0)
    }

    fn new_span_id(&self) -> SpanId {
        GIVEN.get().map_or_else(|| RandomIdGenerator::default().new_span_id(), |ids| ids.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_place_says_what_it_was_read_from() {
        let place = Place::read(PARENT, "a=1,b=2").unwrap();
        assert_eq!(
            (place.traceparent().as_str(), place.tracestate().as_str()),
            (PARENT, "a=1,b=2")
        );
        let later = Place::read(&format!("01{}-more", &PARENT[2..]), "nonsense").unwrap();
        assert_eq!((later.traceparent().as_str(), later.tracestate().as_str()), (PARENT, ""));
    }

    #[test]
    fn what_is_no_valid_traceparent_is_no_place() {
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let upper = PARENT.to_uppercase();
        let long = format!("{PARENT}-00");
        for wrong in
            ["", "00", "ü", zero, &upper, &long, &PARENT[..54], &PARENT.replace("00-", "ff-")]
        {
            assert_eq!(Place::read(wrong, ""), None, "{wrong}");
        }
    }

    #[test]
    fn without_a_collector_there_are_no_places() {
        assert!(!is_on());
        assert_eq!(Place::under(None, [1; 16], [1; 8]), None);
    }
}
