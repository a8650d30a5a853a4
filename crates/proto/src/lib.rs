//! The wire of taskfleet: the messages and services of `proto/`, generated, and the
//! one place where they are turned into the domain's types and back.
//!
//! Messages that carry a key, a token, a prompt or a result have a `Debug` that shows
//! their ids and sizes only.

#[expect(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the .proto files carry the documentation"
)]
mod generated {
    pub mod worker {
        tonic::include_proto!("worker");
    }
    pub mod taskfleet {
        pub mod v1 {
            tonic::include_proto!("taskfleet.v1");
        }
    }
}

mod redacted;

pub use generated::{taskfleet::v1, worker};

/// The compiled .proto files, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The version of the protocol between supervisor and worker that this code speaks.
pub const PROTOCOL_VERSION: u32 = 1;
