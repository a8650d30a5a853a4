//! On how many threads a process turns.

use std::{future::Future, io, thread::available_parallelism, time::Duration};

use tokio::runtime::{Builder, Runtime};

/// With fewer cores a second thread only waits, wakes and is woken.
const CORES_FOR_MANY: usize = 3;
/// How long work that cannot be interrupted may keep a process that is through: the look-up of a
/// name that nobody resolves, for one.
const LAST_WORK: Duration = Duration::from_secs(1);

/// On how many threads a process turns. On one, all that is ready is done before anything is
/// written, so that much goes into few writes, and nobody has to be woken on another core: that
/// takes a third off what a worker costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One. More cores are used by more processes.
    One,
    /// One for each core, from three cores on; else one.
    OfCores,
}

impl Threads {
    /// Runs a program to its end.
    ///
    /// # Errors
    /// The system gives it no threads or no means to wait for events.
    pub fn run<T>(self, program: impl Future<Output = T>) -> io::Result<T> {
        let runtime = self.runtime()?;
        let end = runtime.block_on(program);
        runtime.shutdown_timeout(LAST_WORK);
        Ok(end)
    }

    fn runtime(self) -> io::Result<Runtime> {
        let cores = available_parallelism().map_or(1, usize::from);
        match self {
            Self::OfCores if cores >= CORES_FOR_MANY => Runtime::new(),
            Self::One | Self::OfCores => Builder::new_current_thread().enable_all().build(),
        }
    }
}
