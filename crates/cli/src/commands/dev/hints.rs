//! What to try next, from a second terminal.

use std::io;

use console::style;

use super::screen::Screen;
use crate::args::DEFAULT_ADDRESS;

/// Prints lines to copy.
///
/// # Errors
/// When nobody reads any more.
pub(super) fn show(address: &str, screen: &Screen) -> io::Result<()> {
    // The commands find the default address by themselves.
    let flag = match address {
        DEFAULT_ADDRESS => String::new(),
        other => format!(" --address {other}"),
    };
    screen.line("")?;
    screen.line("The fleet keeps serving. From a second terminal:")?;
    screen.line("")?;
    let lines = [
        format!(
            "grpcurl -plaintext -d '{{\"content\": \"Say hello in French.\"}}' {address} \
             taskfleet.v1.TaskService/SubmitTask"
        ),
        format!("taskfleet submit{flag} --watch \"Say hello in French.\""),
        format!("taskfleet workers{flag}"),
    ];
    for line in lines {
        screen.line(&format!("  {}", style(line).cyan()))?;
    }
    screen.line("")?;
    screen.line("Ctrl-C stops it.")
}
