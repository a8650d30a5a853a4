//! The simulator as its clients see it: over HTTP.

mod answers;
mod calls;
mod compatible;
mod faults;
#[cfg(test)]
mod input;
mod server;
mod steps;
// So that clippy knows its helpers for tests.
#[cfg(test)]
mod support;
