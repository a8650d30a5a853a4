//! Where results go: a file that may be there already from an earlier run, or standard output.

mod known;
mod record;

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use taskfleet_proto::v1::Task;

use super::{
    input::words,
    ledger::{Ledger, Standing},
};
use crate::{failure::Usage, output};

/// Takes results as they come, a line each.
#[derive(Debug)]
pub(super) struct Results {
    /// `None`: standard output.
    file: Option<File>,
    name: String,
    /// What a file holds if nobody else has touched it, in bytes.
    length: AtomicU64,
}

impl Results {
    /// Opens the file, or standard output for none and `-`. What stands in the file already is
    /// marked in the ledger.
    ///
    /// # Errors
    /// [`Usage`] when it cannot be written, is in use, holds something else, or results of
    /// other tasks.
    pub(super) fn open(name: Option<&str>, ledger: &mut Ledger) -> Result<Self, Usage> {
        let Some(name) = name.filter(|name| *name != "-") else {
            return Ok(Self::new(None, "standard output"));
        };
        let refused = |error| Usage(format!("cannot write {name}: {}", words(&error)));
        let is_other = std::fs::metadata(name).is_ok_and(|kind| !kind.is_file() && !kind.is_dir());
        if is_other {
            // A device or a pipe: nothing to read, nothing to lock.
            let file = OpenOptions::new().write(true).open(name).map_err(refused)?;
            return Ok(Self::new(Some(file), name));
        }
        let file = open(Path::new(name)).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Usage(format!("{name} is being written by another taskfleet")));
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        known::take_in(&file, name, ledger)?;
        Ok(Self::new(Some(file), name))
    }

    fn new(file: Option<File>, name: &str) -> Self {
        let length = file.as_ref().and_then(|file| file.metadata().ok());
        let length = length.map_or(0, |file| file.len()).into();
        Self { file, name: name.to_owned(), length }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether results are for a person to read as they come.
    pub(super) fn is_standard_output(&self) -> bool {
        self.file.is_none()
    }

    /// Writes the line of an ended task.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, task: &Task, key: &str, whole: Option<&[u8]>) -> io::Result<()> {
        let line = record::line(task, key, whole);
        match &self.file {
            // One call a line: a kill tears at most the last.
            Some(file) => (&mut &*file).write_all(&line).map(|()| {
                self.length.fetch_add(line.len() as u64, Ordering::Relaxed);
            }),
            None => output::bytes(&line),
        }
    }

    /// Returns when all that was written is on disk.
    ///
    /// # Errors
    /// When it cannot be written, or was taken away.
    pub(super) async fn sync(&self) -> io::Result<()> {
        match &self.file {
            Some(file) if file.metadata()?.is_file() => {
                let file = file.try_clone()?;
                // A slow disk must not keep a second Ctrl-C waiting.
                tokio::task::spawn_blocking(move || file.sync_all()).await??;
                self.check()
            }
            _ => Ok(()),
        }
    }

    /// Whoever removed the file, or cut it, has fewer results than are told of.
    fn check(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let (open, named) = (file.metadata()?, std::fs::metadata(&self.name));
        let same = named.is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()));
        if same && open.len() >= self.length.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(io::Error::other(
            "it was removed, replaced or cut meanwhile; the same command completes it, and pays \
             for nothing again",
        ))
    }
}

/// What a finished line says of its task.
fn standing(state: &str) -> Option<Standing> {
    match state {
        "completed" => Some(Standing::Completed),
        "failed" => Some(Standing::Failed),
        "cancelled" => Some(Standing::Cancelled),
        _ => None,
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}
