//! A simulated OpenAI-compatible API with latency and faults, for trying, testing and
//! benchmarking without a key.
//!
//! | endpoint | what it does |
//! |---|---|
//! | `POST /v1/chat/completions` | answers, streamed or whole, or fails as it was told |
//! | `GET /sim/calls`, `GET /sim/calls/{task}` | what was called and how each call ended |
//! | `DELETE /sim/calls` | forgets all of that |
//! | `GET /sim/healthz` | 200 as soon as the simulator listens |
//!
//! Calls are counted under the header `X-Client-Request-Id: task.lease`.
//!
//! # The marker
//!
//! `[sim:STEP,…]` anywhere in the last user message fixes what happens. Step n is for the n-th call
//! of that task (without the header: of that prompt), and the last step repeats for ever. A prompt
//! whose marker has steps is exempt from the random faults of [`Faults`].
//!
//! | step | what the client sees |
//! |---|---|
//! | `ok` | a good answer |
//! | `400` `401` `403` `404` `408` `409` `413` `422` `500` `502` `503` `504` | that status, with OpenAI's error body |
//! | `429`, `429:0.2`, `429ms:200` | a rate limit, with no header, `retry-after: 0.2`, `retry-after-ms: 200` |
//! | `quota` | 429 `insufficient_quota` |
//! | `html500` | 500 with a page of HTML |
//! | `hang` | nothing, for ever |
//! | `hangmid` | three deltas (whole answer: half of it), then nothing, for ever |
//! | `cut` | three deltas (whole answer: half of it), then the connection is aborted |
//! | `eof` | three deltas and a clean end without `finish_reason` (whole answer: it is null) |
//! | `errmid` | three deltas, then an error event (whole answer: 200 with an error body) |
//! | `garbage` | 200 with what is no JSON |
//! | `filter`, `length`, `abort` | a whole answer with the `finish_reason` `content_filter`, `length`, `abort` |
//!
//! Modifiers stand beside the steps, in any order: `deltas=N` (1 to 1,000,000), `delay=MS` between
//! deltas and `latency=MS` to the first byte (up to an hour), `bytes=N` (the answer is padded to at
//! least so many bytes, up to 16 MiB).
//!
//! Example: `[sim:500,429:0.1,ok,deltas=10,delay=20]`.

mod answer;
mod app;
mod chance;
mod chat;
mod errors;
mod inspect;
mod ledger;
mod marker;
mod server;
mod settings;

pub use answer::digest;
pub use server::Sim;
pub use settings::{Faults, Settings};
