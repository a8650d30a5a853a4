//! What can happen to one call.

use crate::errors::{ApiError, canned};

/// What happens to one call, and the name under which the ledger keeps it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// As in the marker, without the wait of a rate limit.
    pub(crate) name: &'static str,
    pub(crate) act: Act,
}

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    /// In full, with this `finish_reason`.
    Answer(&'static str),
    /// In part.
    Break(Break),
    /// With an error.
    Refuse(&'static ApiError, RetryAfter),
    /// With status 500 and a page, as a proxy in between does.
    Html,
    /// With status 200 and what is no JSON.
    Garbage,
    /// Not at all.
    Hang,
}

/// How an answer that has begun does not end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Break {
    /// The connection is aborted.
    Cut,
    /// The body ends cleanly, but the answer has no end.
    Eof,
    /// Silence.
    Hang,
    /// An error object.
    Error(&'static ApiError),
}

/// What a rate limit says about when to come back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RetryAfter {
    /// Nothing.
    Unsaid,
    /// `retry-after`, in seconds.
    Seconds(f64),
    /// `retry-after-ms`, in milliseconds.
    Millis(u32),
}

const fn step(name: &'static str, act: Act) -> Step {
    Step { name, act }
}

const fn refuse(name: &'static str, error: &'static ApiError) -> Step {
    step(name, Act::Refuse(error, RetryAfter::Unsaid))
}

/// Every step that is one fixed word.
static STEPS: [Step; 26] = [
    Step::OK,
    refuse("400", &canned::BAD_REQUEST),
    refuse("401", &canned::UNAUTHORIZED),
    refuse("403", &canned::FORBIDDEN),
    refuse("404", &canned::NOT_FOUND),
    refuse("408", &canned::TIMEOUT),
    refuse("409", &canned::CONFLICT),
    refuse("413", &canned::TOO_LARGE),
    refuse("422", &canned::UNPROCESSABLE),
    refuse("429", &canned::RATE_LIMIT),
    refuse("500", &canned::INTERNAL),
    refuse("502", &canned::BAD_GATEWAY),
    refuse("503", &canned::OVERLOADED),
    refuse("504", &canned::GATEWAY_TIMEOUT),
    refuse("quota", &canned::QUOTA),
    step("html500", Act::Html),
    step("hang", Act::Hang),
    step("hangmid", Act::Break(Break::Hang)),
    step("cut", Act::Break(Break::Cut)),
    step("eof", Act::Break(Break::Eof)),
    step("errmid", Act::Break(Break::Error(&canned::MID_ANSWER))),
    step("429mid", Act::Break(Break::Error(&canned::MID_LIMIT))),
    step("garbage", Act::Garbage),
    step("filter", Act::Answer("content_filter")),
    step("length", Act::Answer("length")),
    step("abort", Act::Answer("abort")),
];

impl Step {
    /// A good answer.
    pub(crate) const OK: Self = step("ok", Act::Answer("stop"));

    /// The step of that name, or a good answer when there is none.
    pub(crate) fn named(name: &str) -> Self {
        Self::fixed(name).unwrap_or(Self::OK)
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        let wait = match word.split_once(':') {
            None => return Self::fixed(word),
            Some(("429", seconds)) => RetryAfter::Seconds(wait_seconds(seconds)?),
            Some(("429ms", millis)) => RetryAfter::Millis(millis.parse().ok()?),
            Some(_) => return None,
        };
        Some(step("429", Act::Refuse(&canned::RATE_LIMIT, wait)))
    }

    fn fixed(name: &str) -> Option<Self> {
        STEPS.iter().find(|step| step.name == name).copied()
    }

    /// The name under which the ledger keeps it: the status where the whole answer is one.
    pub(crate) fn outcome(&self) -> &'static str {
        if *self == Self::OK { "200" } else { self.name }
    }
}

fn wait_seconds(text: &str) -> Option<f64> {
    text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

/// Every step there is, for whoever mistyped one.
pub(super) fn names() -> String {
    let fixed: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    format!("{}, 429:SECONDS, 429ms:MS", fixed.join(", "))
}
