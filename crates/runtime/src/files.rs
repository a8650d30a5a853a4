//! Open files.

use std::io;

/// Raises the limit of open files to what the system allows this process: each running
/// call needs a connection or two. Returns the limit that holds from now on.
///
/// # Errors
/// When the system does not say or refuses.
pub fn raise_open_file_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// How many files this process may have open.
///
/// # Errors
/// When the system does not say.
pub fn open_file_limit() -> io::Result<u64> {
    rlimit::Resource::NOFILE.get().map(|(soft, _)| soft)
}
