//! What a connection goes through: it can be closed for a while, or break.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

/// Shared by connections that break or stand still together. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    broken: bool,
    closed: bool,
    /// By reader, so that one that is polled again does not stand here twice.
    readers: Vec<Waker>,
}

impl Gate {
    pub(super) fn break_all(&self) {
        self.change(|state| state.broken = true);
    }

    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    pub(super) fn open(&self) {
        self.change(|state| state.closed = false);
    }

    /// Tells every reader.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let readers = {
            let mut state = self.lock();
            change(&mut state);
            std::mem::take(&mut state.readers)
        };
        readers.into_iter().for_each(Waker::wake);
    }

    fn check(&self) -> io::Result<()> {
        if self.lock().broken { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Whether something may be read now; the reader is woken when that changes.
    fn is_open(&self, reader: &Waker) -> bool {
        let mut state = self.lock();
        if !state.readers.iter().any(|known| known.will_wake(reader)) {
            state.readers.push(reader.clone());
        }
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection with a gate.
pub(super) struct Gated {
    stream: TcpStream,
    gate: Gate,
}

impl Gated {
    pub(super) fn new(stream: TcpStream, gate: Gate) -> Self {
        Self { stream, gate }
    }
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.gate.check()?;
        if !self.gate.is_open(cx.waker()) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.gate.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gate.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
