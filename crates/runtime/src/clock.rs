//! Time, injected.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

/// Tells both times: the wall clock's, which may jump, and a monotonic one, which is
/// tokio's and so follows a simulated clock.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> Duration + Send + Sync>,
    start: Instant,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::with_wall(system_wall)
    }

    /// A clock whose wall time (since 1970) is what `wall` says.
    pub fn with_wall(wall: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { wall: Arc::new(wall), start: Instant::now() }
    }

    /// Wall time in milliseconds since 1970.
    #[must_use]
    pub fn unix_millis(&self) -> u64 {
        u64::try_from((self.wall)().as_millis()).unwrap_or(u64::MAX)
    }

    /// Monotonic time in microseconds since this clock was made.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
