//! Whose words may be logged at all, whatever `RUST_LOG` says.
//!
//! What passes through libraries is payload, and some log it: async-openai whole answers that it
//! cannot read, even at `error`; reqwest URLs, in which a password may stand. What the others
//! say at `debug` and `trace` may change with any update. So only our own crates may say
//! everything, for there we see to it; of the libraries those in [`READ`] may speak, down to
//! `info`; all others are silent.

use tracing::{Level, Metadata};

/// The crates whose every line is ours.
const OURS: [&str; 2] = ["taskfleet", "openai_sim"];

/// Libraries whose messages at `info` and above were read and quote no payload. Read them
/// again before adding one.
const READ: [&str; 6] = ["h2", "hyper", "hyper_util", "rustls", "tonic", "tower"];

/// Whether this may be logged.
pub(super) fn is_allowed(metadata: &Metadata<'_>) -> bool {
    may_speak(metadata.target(), *metadata.level())
}

fn may_speak(target: &str, level: Level) -> bool {
    let crate_name = target.split("::").next().unwrap_or(target);
    let is_ours = |ours: &&str| {
        crate_name.strip_prefix(*ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    OURS.iter().any(is_ours) || (READ.contains(&crate_name) && level <= Level::INFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_crates_say_everything() {
        assert!(may_speak("taskfleet", Level::TRACE));
        assert!(may_speak("taskfleet_worker::api::openai", Level::TRACE));
        assert!(!may_speak("taskfleets_rival", Level::ERROR));
        assert!(may_speak("h2::proto::connection", Level::WARN));
        for silent in ["h2::codec::framed_read", "hyper::proto::h1::role", "tonic::transport"] {
            assert!(!may_speak(silent, Level::DEBUG) && !may_speak(silent, Level::TRACE));
        }
        // It writes answers that it cannot read.
        assert!(!may_speak("async_openai::client", Level::ERROR));
    }
}
