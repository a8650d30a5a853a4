//! Who stands behind a registration.

use std::sync::Arc;

use taskfleet_core::BootId;

use super::{Beat, Post};
use crate::{engine::Engine, trust::Trust};

/// A process by its own boot_id, or who answers at an address, and what was proved for it.
#[derive(Clone)]
pub(crate) enum Registrant {
    Process(BootId),
    Address(Arc<Post>, Trust),
}

impl Registrant {
    pub(super) fn is_process(&self, boot_id: BootId) -> bool {
        matches!(self, Self::Process(known) if *known == boot_id)
    }

    pub(super) fn is_address(&self, post: &Arc<Post>) -> bool {
        matches!(self, Self::Address(known, _) if Arc::ptr_eq(known, post))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match other {
            Self::Process(boot_id) => self.is_process(*boot_id),
            Self::Address(post, _) => self.is_address(post),
        }
    }

    /// Whether it may call itself by this boot_id; who registered without one, or knows the
    /// published messages only, has none to be known by.
    pub(crate) fn may_be(&self, boot_id: &str) -> bool {
        match self {
            Self::Process(known) => boot_id.is_empty() || boot_id == known.to_string(),
            Self::Address(..) => true,
        }
    }

    /// What a heartbeat says; false when its worker is not known any more.
    pub(crate) fn beat(&self, engine: &Engine, beat: Beat) -> bool {
        match self {
            Self::Process(boot_id) => {
                let member = engine.fleet.member(*boot_id);
                member.is_some_and(|member| {
                    member.beat(engine, beat);
                    true
                })
            }
            // Who answers there now has proved nothing, and may do so by registering.
            Self::Address(post, Trust::Proven) if post.is_unproven() => false,
            Self::Address(post, _) => {
                post.beat(engine, beat);
                true
            }
        }
    }
}
