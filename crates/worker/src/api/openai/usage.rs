//! What an answer says that it cost.

use serde::Deserialize;
use taskfleet_core::outcome::Usage;

/// OpenAI's `usage`; what a server leaves out is 0.
#[derive(Debug, Deserialize)]
pub(super) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let input_tokens = wire.prompt_tokens.unwrap_or(0);
        let output_tokens = wire.completion_tokens.unwrap_or(0);
        let cached = wire.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let reasoning = wire.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        Self {
            input_tokens,
            output_tokens,
            total_tokens: wire.total_tokens.unwrap_or(input_tokens + output_tokens),
            cached_input_tokens: cached.unwrap_or(0),
            reasoning_tokens: reasoning.unwrap_or(0),
        }
    }
}

/// The usage in this JSON. One that cannot be read must not lose the answer that it came with.
pub(super) fn read(json: Option<&serde_json::value::RawValue>) -> Option<Usage> {
    let wire: Option<WireUsage> = serde_json::from_str(json?.get()).ok()?;
    wire.map(Usage::from)
}
