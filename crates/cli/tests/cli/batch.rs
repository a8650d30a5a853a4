//! A file of tasks: read, checked, submitted once, and waited for.

mod faults;
mod files;
mod input;
mod resume;
mod room;

pub(crate) use room::{Room, lines, prompts, signal, until};
