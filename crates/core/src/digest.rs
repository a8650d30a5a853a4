//! Digests over several parts, each preceded by its length, so that no two lists of parts
//! look alike.

use sha2::{Digest, Sha256};

/// The parts so far.
#[derive(Debug, Clone, Default)]
pub struct Parts(Sha256);

impl Parts {
    /// One part more.
    pub fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The digest over all of them.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
