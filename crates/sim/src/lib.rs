//! A simulated OpenAI-compatible API with latency and faults, for trying, testing and
//! benchmarking without a key.
//!
//! | endpoint | what it does |
//! |---|---|
//! | `POST /v1/chat/completions`, `POST /v1/responses` | answers, streamed or whole, or fails as it was told |
//! | `POST /v1/embeddings` | vectors of length 1, the same for the same text; `dimensions` (1536 unless set) and base64 are known |
//! | `GET /v1/models`, `GET /v1/models/{model}` | some models, and any one |
//! | `GET /sim/calls`, `GET /sim/calls/{task}` | what was called and how each call ended |
//! | `DELETE /sim/calls` | forgets all of that |
//! | `GET /sim/faults`, `PUT /sim/faults` | the faults and waits in force; puts others in force for the next call |
//! | `GET /sim/healthz` | 200 as soon as the simulator listens |
//!
//! Calls are counted under the header `X-Client-Request-Id: task.lease`.
//!
//! # The marker
//!
//! `[sim:STEP,…]` anywhere in the last user message (or the input) fixes what happens. Step n is for the n-th call
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
//! | `429mid` | the same with a rate limit |
//! | `garbage` | 200 with what is no JSON |
//! | `filter`, `length`, `abort` | a whole answer with the `finish_reason` `content_filter`, `length`, `abort` |
//!
//! Modifiers stand beside the steps, in any order: `deltas=N` (1 to 1,000,000), `delay=MS` between
//! deltas and `latency=MS` to the first byte, `jitter=MS` (at most so much is added to that by chance;
//! each up to an hour), `bytes=N` (the text is padded to at least so many bytes, up to 64 MiB).
//!
//! Embeddings have no reason to stop: `filter`, `length` and `abort` are good answers there, and with
//! `eof` the data are missing.
//!
//! Example: `[sim:500,429:0.1,ok,deltas=10,delay=20]`.
//!
//! # Faults while it runs
//!
//! `PUT /sim/faults` takes a JSON object with the share of calls (0 to 1, together at most 1) that
//! fail by chance, under the names of the steps `500`, `503`, `429`, `quota`, `cut`, `errmid`,
//! `garbage` and `hang`, and with `latency_ms`, `jitter_ms` and `delay_ms`. It replaces all of them: what is
//! left out is 0. `{"quota": 1}` is an account without money, `{}` a perfect API. What is unknown or
//! out of range is answered with 400 and its name, and nothing changes.
//!
//! # Limits and keys
//!
//! With [`Limits`] each model has requests and tokens a minute, also enforced over shorter spans.
//! Every answer then carries `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; a call too many gets
//! 429 `rate_limit_exceeded` with `retry-after` and `retry-after-ms`. It counts as a call of its task, and so
//! takes a step of the marker. With a key set, every other key gets 401.

mod access;
mod answer;
mod app;
mod behaviour;
mod call;
mod chance;
mod chat;
mod embeddings;
mod errors;
pub mod health;
mod input;
mod inspect;
mod json;
mod ledger;
mod limits;
mod marker;
mod models;
mod responses;
mod server;
mod settings;

pub use answer::digest;
pub use server::Sim;
pub use settings::{Faults, Limits, Settings};
