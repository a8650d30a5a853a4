//! The command line by itself: usage, help, exit codes, and a supervisor that is a fake.

#![cfg(test)]

mod batch;
mod configuration;
mod fake;
mod health;
mod help;
mod manage;
mod resilience;
mod starting;
mod supervisor;
mod support;
mod usage;
