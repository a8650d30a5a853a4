//! The simulator as its clients see it: over HTTP.

mod answers;
mod calls;
mod compatible;
#[cfg(test)]
mod endpoints;
mod faults;
#[cfg(test)]
mod input;
#[cfg(test)]
mod limits;
mod server;
mod steps;
#[cfg(test)]
mod switch;
// So that clippy knows its helpers for tests.
#[cfg(test)]
mod support;
