//! Copies of the store, written while it goes on: one at a time, on a thread and a connection
//! of its own. The copy is one snapshot; what is written meanwhile waits in the log, which
//! cannot be shortened until the copy is done.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rusqlite::{
    Connection, ErrorCode, Transaction, TransactionBehavior,
    backup::{Backup, StepResult},
};
use tempfile::NamedTempFile;
use tokio::sync::oneshot;

use super::{fault::describe, open::Opener};
use crate::error::{BackupError, StoreError};

/// Pages copied at once: four mebibytes, after which it is asked whether anybody waits.
const STEP: i32 = 1_024;

type Reply = oneshot::Sender<Result<u64, BackupError>>;

/// Writes copies; when this is dropped none is being written any more.
#[derive(Debug)]
pub(super) struct Backups {
    opener: Opener,
    thread: Mutex<Option<JoinHandle<()>>>,
    turn: Arc<AtomicBool>,
}

/// The right to write a copy, until this is dropped.
struct Turn(Arc<AtomicBool>);

impl Turn {
    fn take(taken: &Arc<AtomicBool>) -> Option<Self> {
        let was_free = !taken.swap(true, Ordering::AcqRel);
        was_free.then(|| Self(Arc::clone(taken)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Backups {
    pub(super) fn new(opener: Opener) -> Self {
        Self { opener, thread: Mutex::default(), turn: Arc::default() }
    }

    pub(super) async fn write(&self, path: PathBuf) -> Result<u64, BackupError> {
        let (reply, answer) = oneshot::channel();
        self.begin(path, reply)?;
        answer.await.map_err(|_| BackupError::Store(StoreError::Closed))?
    }

    fn begin(&self, path: PathBuf, reply: Reply) -> Result<(), BackupError> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Turn::take(&self.turn).ok_or(BackupError::Busy)?;
        let opener = self.opener.clone();
        let run = move || {
            let written = write(&opener, &path, &|| reply.is_closed());
            // Whoever hears of this one may ask for the next.
            drop(turn);
            // Whoever asked may have gone.
            let _ = reply.send(written);
        };
        *thread = Some(super::spawn("store-backup".to_owned(), run)?);
        Ok(())
    }
}

impl Drop for Backups {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // Nobody waits for its answer any more, so it ends soon.
            let _ = thread.join();
        }
    }
}

/// Written beside, synced, and only then given its name: whoever finds the name finds the
/// whole copy. Whatever goes wrong, the file beside is removed.
fn write(opener: &Opener, path: &Path, unwanted: &dyn Fn() -> bool) -> Result<u64, BackupError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    if path.symlink_metadata().is_ok() {
        return Err(BackupError::Exists);
    }
    let beside = tempfile::Builder::new().prefix(".taskfleet-backup-").tempfile_in(directory);
    let beside = beside.map_err(|error| of_io(&error))?;
    copy(&opener.reader()?, beside.path(), unwanted)?;
    let size = give_name(beside, path).map_err(|error| of_io(&error))?;
    File::open(directory).and_then(|known| known.sync_all()).map_err(|error| of_io(&error))?;
    Ok(size)
}

fn give_name(beside: NamedTempFile, path: &Path) -> io::Result<u64> {
    beside.as_file().sync_all()?;
    let size = beside.as_file().metadata()?.len();
    beside.persist_noclobber(path)?;
    Ok(size)
}

/// The source's snapshot is held from the first page to the last: otherwise each commit of
/// the writer would begin the copy anew.
fn copy(from: &Connection, to: &Path, unwanted: &dyn Fn() -> bool) -> Result<(), BackupError> {
    let copy = || {
        let snapshot = Transaction::new_unchecked(from, TransactionBehavior::Deferred)?;
        snapshot.query_row("SELECT epoch FROM store", [], |_| Ok(()))?;
        let mut to = Connection::open(to)?;
        // Nobody reads the copy before it is synced as a whole.
        to.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
        to.pragma_update(None, "synchronous", "off")?;
        let backup = Backup::new(&snapshot, &mut to)?;
        while !unwanted() {
            if backup.step(STEP)? == StepResult::Done {
                drop(backup);
                lend(&to)?;
                return Ok(true);
            }
        }
        Ok(false)
    };
    match copy() {
        Ok(true) => Ok(()),
        Ok(false) => Err(BackupError::Store(StoreError::Closed)),
        Err(error) => Err(of_sqlite(&error)),
    }
}

/// What runs, or was lost and may still be reported, was given out by the original, which
/// goes on: whoever serves the copy leaves its outcomes with the workers, so that the original
/// still finds them there.
fn lend(copy: &Connection) -> rusqlite::Result<()> {
    // The header that was copied says that it has a write-ahead log.
    copy.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    let sql = "UPDATE tasks SET lease_borrowed = 1 WHERE state = 1 OR state = 0 AND lease_unheard";
    copy.execute(sql, []).map(drop)
}

fn of_sqlite(error: &rusqlite::Error) -> BackupError {
    match (error.sqlite_error_code(), describe(error)) {
        (Some(ErrorCode::DiskFull), _) => BackupError::Full,
        (_, StoreError::Failed(why)) => BackupError::Failed(why),
        (_, other) => BackupError::Store(other),
    }
}

fn of_io(error: &io::Error) -> BackupError {
    match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists,
        ErrorKind::NotFound | ErrorKind::NotADirectory => BackupError::NoDirectory,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => BackupError::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BackupError::Full,
        kind => BackupError::Failed(kind.to_string()),
    }
}
