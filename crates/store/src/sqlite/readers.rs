//! Reading: a few threads with a connection each, so that no read waits for the writer or
//! makes it wait.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{fault, open::Opener};
use crate::error::StoreError;

/// Enough for a long read and short ones beside it.
const READERS: usize = 2;
/// Reads that may wait before those who ask have to.
const WAITING: usize = 256;

type Read = Box<dyn FnOnce(&mut Connection) + Send>;
type Queue = Arc<Mutex<mpsc::Receiver<Read>>>;

/// The threads that read; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    /// None only while being dropped.
    queue: Option<mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(opener: &Opener) -> Result<Self, StoreError> {
        let (queue, receiver) = mpsc::channel(WAITING);
        let mut readers = Self { queue: Some(queue), threads: Vec::new() };
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..READERS {
            let (connection, queue) = (opener.reader()?, Arc::clone(&receiver));
            let run = move || serve(connection, &queue);
            readers.threads.push(super::spawn(format!("store-reader-{number}"), run)?);
        }
        Ok(readers)
    }

    /// What `read` finds in one snapshot of the file.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            // Whoever asked may have gone.
            let _ = reply.send(snapshot(connection, read));
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(read).await.map_err(|_| StoreError::Closed)?;
        let found = answer.await.map_err(|_| StoreError::Closed)?;
        found.map_err(|error| fault::describe(&error))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A panic of it was seen by whoever waited for its answer.
            let _ = thread.join();
        }
    }
}

fn serve(mut connection: Connection, queue: &Queue) {
    while let Some(read) = next(queue) {
        read(&mut connection);
    }
}

/// Only one thread waits in the channel, the others for it.
fn next(queue: &Queue) -> Option<Read> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

fn snapshot<T>(
    connection: &mut Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = Transaction::new(connection, TransactionBehavior::Deferred)?;
    let found = read(&transaction)?;
    transaction.finish()?;
    Ok(found)
}
