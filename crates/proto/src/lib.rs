//! The wire of taskfleet: the messages and services of `proto/`, generated, and the
//! one place where they are turned into the domain's types and back.
//!
//! Messages that carry a key, a token, a prompt or a result have a `Debug` that shows
//! their ids and sizes only.
//!
//! Conversions are `From` where every value fits and `TryFrom` with a [`FieldError`] that
//! names the field where it may not.

#[expect(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
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

mod codec;
mod field;
mod kind;
mod names;
mod outcome;
mod redacted;
mod registration;
mod spec;
mod superseded;
mod work;

pub use codec::{Codec, Decoder};
pub use field::{FieldError, parse_id};
pub use generated::{taskfleet::v1, worker};
pub use names::{check_names, read_idempotency_key};
pub use outcome::{last_response, read_outcome};
pub use registration::{Registration, read_registration};
pub use spec::read_spec;
pub use superseded::{not_served, read_superseded, says_not_served, superseded};
pub use work::{read_work, write_work};

/// The compiled .proto files, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The version of the protocol between supervisor and worker that this code speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// What our worker can do beyond the published contract, by the names that go into
/// `RegisterRequest.features` and `TaskRequest.requires`.
pub mod feature {
    use taskfleet_core::demand::Features;

    /// Leases, attaching, and WorkerControl.
    pub const LEASES: &str = "leases";
    /// Whole requests to the model API.
    pub const REQUESTS: &str = "requests";
    /// Model, instructions and parameters of content tasks.
    pub const CONTENT_OPTIONS: &str = "content-options";

    /// All of them.
    pub const ALL: [&str; 3] = [LEASES, REQUESTS, CONTENT_OPTIONS];

    /// Those that tasks may need.
    const NEEDED: [(&str, Features); 2] =
        [(REQUESTS, Features::REQUESTS), (CONTENT_OPTIONS, Features::CONTENT_OPTIONS)];

    /// What a worker that announced these names can do; names that mean nothing here are
    /// those of later versions.
    #[must_use]
    pub fn known(names: &[String]) -> Features {
        let announced = NEEDED.iter().filter(|(name, _)| names.iter().any(|known| known == name));
        announced.fold(Features::NONE, |all, (_, feature)| all.with(*feature))
    }

    /// The names of what a task needs.
    pub fn names(needs: Features) -> impl Iterator<Item = &'static str> {
        let needed = NEEDED.iter().filter(move |(_, feature)| needs.contains(*feature));
        needed.map(|(name, _)| *name)
    }
}
