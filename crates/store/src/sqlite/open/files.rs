//! The files around a store: its lock and its directory.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::error::StoreError;

/// What the name of a store's lock file ends in.
const LOCK: &str = ".lock";

/// Keeps every other supervisor out, until it is dropped or the process ends, however.
#[derive(Debug)]
pub(in crate::sqlite) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock beside the store. Not on the store's own file: SQLite's locks there
    /// would be lost as soon as any descriptor of it is closed (sqlite.org/howtocorrupt.html).
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let name = beside(path, LOCK);
        let open = File::options().create(true).truncate(false).write(true).open(name);
        let file = open.map_err(|error| failed(path, "open its lock file", &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(path, "lock its lock file", &error)),
        }
    }
}

/// The path without symbolic links: a second name is no second store.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    let resolved = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error);
            name.and_then(|name| Ok(fs::canonicalize(directory(path))?.join(name)))
        }
        resolved => resolved,
    };
    resolved.map_err(|error| failed(path, "resolve its path", &error))
}

/// Refuses a file that is not whole without another: one with several names, each of which
/// has a log of its own, and none beside a log that holds tasks.
pub(super) fn check_whole(path: &Path) -> Result<(), StoreError> {
    let unusable = |reason: &str| {
        Err(StoreError::Unusable { path: path.to_owned(), reason: reason.to_owned() })
    };
    let file = fs::metadata(path);
    if file.as_ref().is_ok_and(|file| file.is_file() && file.nlink() > 1) {
        return unusable(
            "it has several names (hard links), and tasks would be lost to whoever opens it by \
             another: leave it one",
        );
    }
    let is_empty = file.map_or(true, |file| file.len() == 0);
    if is_empty && fs::metadata(log(path)).is_ok_and(|log| log.len() > 0) {
        return unusable(
            "it is missing or empty, but its log, named the same and -wal, holds tasks: put the \
             file back to it, or move the log away to begin with nothing",
        );
    }
    Ok(())
}

fn log(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The files of an open store, to see whether they are still there.
#[derive(Debug, Clone)]
pub(in crate::sqlite) struct Files {
    known: Vec<(PathBuf, Option<(u64, u64)>)>,
}

impl Files {
    /// As they are now.
    pub(super) fn of(path: &Path) -> Self {
        let paths = [path.to_owned(), log(path), beside(path, LOCK)];
        Self { known: paths.map(|path| (path.clone(), identity(&path))).into() }
    }

    /// One that is not the same any more. What is written to it now nobody will find again.
    pub(in crate::sqlite) fn lost(&self) -> Option<PathBuf> {
        let lost = self.known.iter().find(|(path, known)| identity(path) != *known);
        lost.map(|(path, _)| path.clone())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
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
