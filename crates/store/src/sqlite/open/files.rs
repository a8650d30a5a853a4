//! The files around a store: its lock and its directory.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::error::StoreError;

/// Keeps every other supervisor out, until it is dropped or the process ends, however.
#[derive(Debug)]
pub(in crate::sqlite) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock beside the store. Not on the store's own file: SQLite's locks there
    /// would be lost as soon as any descriptor of it is closed (sqlite.org/howtocorrupt.html).
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let open = File::options().create(true).truncate(false).write(true).open(name);
        let file = open.map_err(|error| failed(path, "open its lock file", &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(path, "lock its lock file", &error)),
        }
    }
}

/// SQLite would say of a directory only that it cannot be opened.
pub(super) fn check_kind(path: &Path) -> Result<(), StoreError> {
    if !path.is_dir() {
        return Ok(());
    }
    let reason = "it is a directory".to_owned();
    Err(StoreError::Unusable { path: path.to_owned(), reason })
}

/// Makes the directory of the store; answers with the one that was there already.
pub(super) fn make_directory(path: &Path) -> Result<PathBuf, StoreError> {
    let directory = directory(path);
    let known = directory.ancestors().find(|ancestor| ancestor.is_dir());
    let known = known.unwrap_or(Path::new(".")).to_owned();
    let made = fs::create_dir_all(directory);
    made.map_err(|error| failed(path, "make its directory", &error))?;
    Ok(known)
}

/// A new file is on disk only when its name is: syncs the directories from the file's own
/// up to the one that was there before.
pub(super) fn sync_directories(path: &Path, known: &Path) -> Result<(), StoreError> {
    let directories = directory(path).ancestors().take_while(|ancestor| *ancestor != known);
    for directory in directories.chain([known]) {
        sync(directory).map_err(|error| failed(path, "sync its directory", &error))?;
    }
    Ok(())
}

fn sync(directory: &Path) -> io::Result<()> {
    let here = directory.as_os_str().is_empty();
    File::open(if here { Path::new(".") } else { directory })?.sync_all()
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, what: &str, error: &io::Error) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), reason: format!("cannot {what}: {error}") }
}
