//! Resident memory.

use std::io;

/// Keeps this process, and those that it starts, in small pages. The allocator asks for huge ones,
/// and each that is touched is resident with all of its 2 MiB: with ten thousand calls at once that
/// was half as much memory again.
///
/// # Errors
/// When the system refuses. Where there are no huge pages nothing happens.
pub(crate) fn keep_small_pages() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true)?;
    Ok(())
}
