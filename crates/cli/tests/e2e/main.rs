//! The fleet as real processes: what users see, and what must hold when processes die.

#![cfg(test)]

mod dev;
mod faults;
mod fleet;
mod flood;
mod promises;
mod races;
mod recovery;
mod tasks;
mod watching;
