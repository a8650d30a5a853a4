//! What a task demands of a worker: all that decides, besides its model, who can take it.

use crate::limits;

/// What a worker can do beyond the published contract, as far as tasks need it. A worker
/// that knows only the published messages has none of it: it takes plain prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Features(u16);

impl Features {
    /// Plain prompts only.
    pub const NONE: Self = Self(0);
    /// Whole requests to the model API.
    pub const REQUESTS: Self = Self(1);
    /// Model, instructions and parameters of content tasks.
    pub const CONTENT_OPTIONS: Self = Self(1 << 1);
    /// All of them.
    pub const ALL: Self = Self::REQUESTS.with(Self::CONTENT_OPTIONS);

    /// These and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether `needed` is among them, all of it.
    #[must_use]
    pub const fn contains(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}

/// A request's size, roughly: 0 is up to 1 MiB, each next one up to twice as much. Tasks of
/// one class wait together, so that those too large for a worker do not stand before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SizeClass(u8);

impl SizeClass {
    /// The class of a request of so many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let mebibytes = bytes.div_ceil(1 << 20).max(1);
        // At most 44, and 15 is beyond all that is accepted.
        let class = mebibytes.next_power_of_two().trailing_zeros().min(15);
        Self(u8::try_from(class).unwrap_or(15))
    }

    /// Every request of this class is larger, in bytes.
    #[must_use]
    pub const fn above(self) -> u64 {
        if self.0 == 0 { 0 } else { 1 << (19 + self.0) }
    }
}

/// Tasks of one model with equal demands wait in one lane of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Demand {
    /// What the worker must be able to do.
    pub needs: Features,
    /// It must have a worker for itself.
    pub alone: bool,
    /// How large the request is.
    pub size: SizeClass,
}

impl Demand {
    /// As it stands in a file: needs in the low 16 bits, then alone, then the size class.
    #[must_use]
    pub fn code(self) -> u32 {
        u32::from(self.needs.0) | u32::from(self.alone) << 16 | u32::from(self.size.0) << 17
    }

    /// What a code stands for.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        let [low, high, rest, _] = code.to_le_bytes();
        Self {
            needs: Features(u16::from_le_bytes([low, high])),
            alone: rest & 1 == 1,
            size: SizeClass(rest >> 1),
        }
    }
}

/// The size of the request that carries a task to a worker, in bytes: what is asked for and
/// what stands around it.
#[must_use]
pub fn request_bytes(size_bytes: u64, model: Option<&str>) -> u64 {
    size_bytes + model.map_or(0, str::len) as u64 + limits::REQUEST_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_for_one_demand() {
        for size in [0, 1 << 20, 5 << 20, 1 << 40] {
            for needs in [Features::NONE, Features::REQUESTS, Features::ALL] {
                for alone in [false, true] {
                    let demand = Demand { needs, alone, size: SizeClass::of(size) };
                    assert_eq!(Demand::from_code(demand.code()), demand);
                }
            }
        }
    }

    #[test]
    fn a_class_of_sizes_lies_between_two_powers() {
        assert_eq!(SizeClass::of(0), SizeClass::of(1 << 20));
        assert_eq!(SizeClass::of((1 << 20) + 1).above(), 1 << 20);
        assert_eq!(SizeClass::of(4 << 20).above(), 2 << 20);
        assert_eq!(SizeClass::of((4 << 20) + 1).above(), 4 << 20);
    }
}
