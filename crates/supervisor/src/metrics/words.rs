//! The values of labels.

use taskfleet_core::task::{Endpoint, TaskState, Work};

/// Every word of [`work`].
pub(super) const WORKS: [&str; 4] = ["content", "chat_completions", "responses", "embeddings"];

/// What a task asks for.
pub(super) fn work(work: &Work) -> &'static str {
    match work {
        Work::Content(_) => "content",
        Work::Request(request) => match request.endpoint {
            Endpoint::ChatCompletions => "chat_completions",
            Endpoint::Responses => "responses",
            Endpoint::Embeddings => "embeddings",
        },
    }
}

/// A task's state.
pub(super) const fn state(state: TaskState) -> &'static str {
    match state {
        TaskState::Queued => "queued",
        TaskState::Running => "running",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
    }
}
