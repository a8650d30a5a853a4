//! The supervisor as its clients and operators see it: over gRPC, without any worker.
// So that clippy knows helpers for tests, too.
#![cfg(test)]

mod attempts;
mod bodies;
mod clocks;
mod health;
mod input;
mod listing;
mod operating;
mod pruning;
mod readiness;
mod retrying;
mod room;
mod support;
