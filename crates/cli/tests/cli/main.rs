//! The command line by itself: usage, help, exit codes, and a supervisor that is a fake.

#![cfg(test)]

mod batch;
mod configuration;
mod fake;
mod health;
mod help;
#[path = "../shared/loopback.rs"]
mod loopback;
mod manage;
mod open_files;
mod reference;
mod resilience;
mod starting;
mod strangers;
mod supervisor;
mod support;
mod usage;
