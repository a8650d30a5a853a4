//! Where the store of `dev` lies: in a directory that is kept, or in a temporary one. A `dev` that
//! is killed cannot remove its own: the next one does.

use std::{
    fs::{self, DirEntry, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;

const PREFIX: &str = "taskfleet-dev-";
/// Locked as long as the directory is in use; the lock goes with the process.
const LOCK: &str = "in-use";

/// Where the store lies.
pub(super) enum Data {
    /// It stays.
    Kept(PathBuf),
    /// It goes when this does.
    Temporary {
        /// The directory.
        dir: TempDir,
        /// Held, so that no other `dev` takes it for an abandoned one.
        _lock: File,
    },
}

impl Data {
    /// This directory, made if it is not there; or a new temporary one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn prepare(dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(dir) = dir else {
            remove_abandoned();
            return temporary().context("cannot make a temporary directory");
        };
        let made = fs::create_dir_all(dir);
        made.with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self::Kept(dir.to_owned()))
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(dir) => dir,
            Self::Temporary { dir, .. } => dir.path(),
        }
    }
}

fn temporary() -> io::Result<Data> {
    let dir = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
    let lock = File::create(dir.path().join(LOCK))?;
    lock.lock()?;
    Ok(Data::Temporary { dir, _lock: lock })
}

/// Removes what killed ones have left. What cannot be removed is left to the next.
fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten().filter(is_abandoned) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// A directory of ours that nobody holds.
fn is_abandoned(entry: &DirEntry) -> bool {
    let is_named_so = entry.file_name().to_string_lossy().starts_with(PREFIX);
    let is_ours =
        |kind: fs::Metadata| kind.is_dir() && kind.uid() == rustix::process::getuid().as_raw();
    is_named_so
        && entry.metadata().is_ok_and(is_ours)
        && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}
