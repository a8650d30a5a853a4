//! What only a store in a file promises: whose file it is, and when something is on disk.

// Each under cfg(test), so that clippy knows its helpers for tests.
#[cfg(test)]
mod backup;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod support;
