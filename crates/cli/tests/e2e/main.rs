//! The fleet as real processes: what users see, and what must hold when processes die.

#![cfg(test)]

mod batch;
mod dev;
mod disk;
mod drain;
mod exact;
mod faults;
mod fleet;
mod flood;
mod joining;
mod keys;
mod local_workers;
mod metrics;
mod overload;
mod poison;
mod promises;
mod published;
mod races;
mod recovery;
mod requests;
mod rolling;
mod scheduling;
mod set_aside;
mod silence;
mod stale_store;
mod tasks;
mod telling;
mod tracing;
mod trust;
mod watching;
