//! What all calls share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::behaviour::Behaviour;
use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::limits::Limiter;
use crate::settings::Settings;

/// What all calls share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) chance: Chance,
    pub(crate) limiter: Limiter,
    pub(crate) stop: Stop,
    /// Seconds since 1970 when the simulator started: `created` of every answer, so that an answer
    /// costs no look at the clock.
    pub(crate) started: u64,
    ids: AtomicU64,
}

impl App {
    pub(crate) fn new(settings: Settings, stopped: watch::Receiver<()>) -> Self {
        Self {
            chance: Chance::new(Behaviour::of(&settings), settings.seed),
            limiter: Limiter::new(settings.limits),
            settings,
            ledger: Arc::default(),
            stop: Stop(stopped),
            started: seconds_since_1970(),
            ids: AtomicU64::new(1),
        }
    }

    /// A number that no other answer of this simulator has.
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

#[expect(clippy::disallowed_methods, reason = "read once, and only told to clients")]
fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// Ends the waits of calls when the simulator stops: axum leaves its connections running when it
/// is dropped, and a hanging one would outlive it.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<()>);

impl Stop {
    /// Completes when the simulator stops, with the error that then aborts the connection.
    pub(crate) async fn stopped(&self) -> io::Error {
        // Nothing is ever sent: the only change is that the sender goes.
        let _ = self.0.clone().changed().await;
        io::Error::new(io::ErrorKind::ConnectionAborted, "the simulator stops")
    }

    /// Waits; zero costs nothing.
    ///
    /// # Errors
    /// The simulator stopped meanwhile.
    pub(crate) async fn pause(&self, duration: Duration) -> io::Result<()> {
        if duration.is_zero() {
            return Ok(());
        }
        tokio::time::timeout(duration, self.stopped()).await.map_or(Ok(()), Err)
    }
}
