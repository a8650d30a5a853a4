//! When to stop.

use std::{
    io::{self, Read},
    thread,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
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
    let (gone, told) = oneshot::channel();
    // A thread of its own that nobody waits for: tokio's standard input keeps the runtime, and
    // so the process, from ending as long as the parent lives.
    thread::spawn(move || {
        read_to_end(io::stdin());
        let _ = gone.send(());
    });
    let _ = told.await;
}

fn read_to_end(mut input: impl Read) {
    let mut buffer = [0; 64];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
