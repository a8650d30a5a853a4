//! Somebody else's worker and client, for tests: compiled from a copy of `worker.proto` as it
//! was published, with none of taskfleet's own code, so that what they need of us shows.

#[expect(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated from the published messages"
)]
pub mod wire {
    tonic::include_proto!("worker");
}

pub mod client;
mod script;
mod worker;

pub use script::Script;
pub use worker::{Limits, run};
