//! The worker as a supervisor sees it: over gRPC, with a simulated model API behind it.
// So that clippy knows helpers for tests, too.
#![cfg(test)]

mod calls;
mod facts;
mod faults;
mod health;
mod leases;
mod membership;
mod published;
mod readers;
mod requests;
mod stop;
mod support;
