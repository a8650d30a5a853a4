//! Writing: one thread that takes all that waits into one transaction, so that one sync
//! makes many commands durable. Nobody is answered before it.
//!
//! While one transaction is being synced, the next commands gather by themselves, the more of
//! them the slower the disk. A command that comes alone waits for no company; when several come,
//! transactions keep a pace, see [`pace`].

mod job;
mod pace;

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use taskfleet_core::Epoch;
use tokio::{
    sync::{SetOnce, mpsc, oneshot},
    time::Instant,
};

use super::{
    fault::Fault,
    write::{Unit, put_tally, touch},
};
use crate::{
    error::StoreError,
    tally::Tally,
    types::{Commit, CommitWatcher},
};
use job::{Job, Write};
use pace::Pace;

pub(super) use job::Weight;

/// Commands that may wait before those who send them have to.
const WAITING: usize = 4_096;
/// One transaction takes no further command once it holds this many tasks or changes …
const GROUP_ITEMS: usize = 4_096;
/// … or this many bytes, so that a flood of large ones cannot make it grow without end.
const GROUP_BYTES: usize = 64 << 20;

/// What the writer lets others see.
struct Shown {
    /// As of the latest commit.
    tally: Mutex<Tally>,
    broken: SetOnce<StoreError>,
    watcher: OnceLock<CommitWatcher>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("tally", &self.tally()).finish_non_exhaustive()
    }
}

impl Shown {
    fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first reason stays.
    fn set_broken(&self, error: StoreError) {
        let _ = self.broken.set(error);
    }
}

/// The thread that writes; when this is dropped it commits what it has and ends.
#[derive(Debug)]
pub(super) struct Writer {
    /// None only while being dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    shown: Arc<Shown>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        epoch: Epoch,
        tally: Tally,
    ) -> Result<Self, StoreError> {
        let (queue, commands) = mpsc::channel(WAITING);
        let shown = Arc::new(Shown {
            tally: Mutex::new(tally),
            broken: SetOnce::new(),
            watcher: OnceLock::new(),
        });
        let mut thread =
            Thread { connection, epoch, tally, in_doubt: false, shown: Arc::clone(&shown) };
        let run = move || thread.run(commands);
        let thread = Some(super::spawn("store-writer".to_owned(), run)?);
        Ok(Self { queue: Some(queue), thread, shown })
    }

    /// What `write` answered, once that is durable.
    pub(super) async fn write<T, F>(&self, weight: Weight, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write::new(weight, write, reply));
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).await.map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?
    }

    pub(super) fn tally(&self) -> Tally {
        self.shown.tally()
    }

    /// Why nothing can be trusted any more, if so.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.shown.broken.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    pub(super) fn watch(&self, watcher: CommitWatcher) {
        // The first one stays.
        let _ = self.shown.watcher.set(watcher);
    }

    /// From now on nothing is written any more, for this reason.
    pub(super) fn give_up(&self, error: StoreError) -> StoreError {
        self.shown.set_broken(error.clone());
        error
    }

    pub(super) async fn broken(&self) -> StoreError {
        self.shown.broken.wait().await.clone()
    }

    fn gone(&self) -> StoreError {
        self.check().err().unwrap_or(StoreError::Closed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been shown as broken.
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Thread {
    connection: Connection,
    epoch: Epoch,
    tally: Tally,
    /// The latest transaction failed: the next one writes, whatever it is for, so that its
    /// answer says whether writing works.
    in_doubt: bool,
    shown: Arc<Shown>,
}

impl Thread {
    fn run(&mut self, mut commands: mpsc::Receiver<Box<dyn Job>>) {
        let mut pace = Pace::default();
        while let Some(first) = commands.blocking_recv() {
            pace.keep();
            let mut group = gather(first, &mut commands);
            pace.begin(group.len());
            let outcome = match self.shown.broken.get() {
                Some(error) => Err(error.clone()),
                None => self.commit(&mut group),
            };
            for job in group {
                job.answer(&outcome);
            }
        }
    }

    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let began = Instant::now();
        let done = self.transact(group);
        self.in_doubt = done.is_err();
        self.tell_watcher(group, began.elapsed());
        done.map_err(|fault| {
            if fault.fatal {
                self.shown.set_broken(fault.error.clone());
            }
            fault.error
        })
    }

    /// A look at the store is no commit, unless it failed.
    fn tell_watcher(&self, group: &[Box<dyn Job>], took: Duration) {
        let items = group.iter().map(|job| job.weight().items).sum();
        let commit = Commit { took, items, failed: self.in_doubt };
        if let Some(watcher) = self.shown.watcher.get()
            && (items > 0 || commit.failed)
        {
            watcher(&commit);
        }
    }

    /// Does all of it in one transaction or nothing.
    fn transact(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        let begun = Transaction::new(&mut self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| Fault::of(&error))?;
        let unit = Unit { connection: &transaction, epoch: self.epoch, tally: self.tally };
        let tally = fill(unit, group, self.in_doubt).map_err(|error| Fault::of(&error))?;
        transaction.commit().map_err(|error| Fault::of_commit(&error))?;
        self.tally = tally;
        *self.shown.tally.lock().unwrap_or_else(PoisonError::into_inner) = tally;
        Ok(())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shown.set_broken(StoreError::Failed("the writing thread panicked".to_owned()));
        }
    }
}

/// Everything that waits, within bounds.
fn gather(first: Box<dyn Job>, from: &mut mpsc::Receiver<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut total = first.weight();
    let mut group = vec![first];
    while total.items < GROUP_ITEMS
        && total.bytes < GROUP_BYTES
        && let Ok(next) = from.try_recv()
    {
        let weight = next.weight();
        total.items += weight.items;
        total.bytes += weight.bytes;
        group.push(next);
    }
    group
}

/// Does what each command says, in `unit`; answers with the numbers after it.
fn fill(mut unit: Unit<'_>, group: &mut [Box<dyn Job>], always: bool) -> rusqlite::Result<Tally> {
    let before = unit.tally;
    for job in group {
        job.run(&mut unit)?;
    }
    if always {
        touch(unit.connection)?;
    }
    // Nothing changed, nothing to sync.
    if unit.tally != before || always {
        put_tally(unit.connection, &unit.tally)?;
    }
    Ok(unit.tally)
}
