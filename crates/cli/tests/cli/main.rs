//! The command line by itself: usage, help, exit codes, and a supervisor that is a fake.

#![cfg(test)]

mod fake;
mod help;
mod resilience;
mod support;
mod usage;
