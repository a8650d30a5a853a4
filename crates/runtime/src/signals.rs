//! When to stop.

use std::io;

use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be listened for.
pub async fn stop_requested() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Waits until standard input ends: for a process whose parent holds the other end of that
/// pipe, the moment when the parent is gone, however it went.
pub async fn parent_gone() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while !matches!(input.read(&mut buffer).await, Ok(0) | Err(_)) {}
}
