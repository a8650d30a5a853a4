//! Leases fence executions: of two claims of a task, the higher one is right.

use std::fmt;

/// Counts the times that a supervisor opened the store. Only rises, also when an old
/// backup is restored: it is at least the unix time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, to store and send.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The epoch of a supervisor that opens a store which last saw `self`.
    #[must_use]
    pub fn next(self, unix_seconds: u64) -> Self {
        Self(self.0.saturating_add(1).max(unix_seconds))
    }
}

/// The number of one claim of one task; 0 stands for none. The epoch is in the high bits,
/// so a claim after a restored backup is still higher than every claim before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lease(u64);

/// Bits below the epoch: claims of one task within one epoch.
const CLAIM_BITS: u32 = 24;

impl Lease {
    /// Not claimed yet, or a request without a lease.
    pub const NONE: Self = Self(0);

    /// The lease with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, to store and send.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The lease of the next claim of a task whose last one is `self`.
    #[must_use]
    pub fn next(self, epoch: Epoch) -> Self {
        Self(self.0.saturating_add(1).max((epoch.0 << CLAIM_BITS) + 1))
    }

    /// The epoch in which it was claimed, or a later one. One below the present epoch was
    /// certainly sent by an earlier supervisor, so that a worker which has been adopted
    /// since refuses its request.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> CLAIM_BITS)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({}+{})", self.0 >> CLAIM_BITS, self.0 & ((1 << CLAIM_BITS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_rise_within_an_epoch_over_epochs_and_after_a_restored_backup() {
        let epoch = Epoch::default().next(1_700_000_000);
        let first = Lease::NONE.next(epoch);
        let second = first.next(epoch);
        assert!(Lease::NONE < first && first < second);
        let after_restart = second.next(epoch.next(0));
        assert!(second < after_restart);
        let after_old_backup = Lease::NONE.next(epoch.next(1_700_000_100));
        assert!(after_restart < after_old_backup);
    }

    #[test]
    fn an_adopted_lease_of_a_later_epoch_is_still_exceeded() {
        let adopted = Lease::NONE.next(Epoch::new(9));
        assert!(adopted.next(Epoch::new(3)) > adopted);
    }
}
