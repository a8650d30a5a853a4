//! Waiting for a condition, with a bound.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything here takes, so that only a test that would never end reaches it.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `look` finds something.
///
/// # Panics
/// When it has found nothing within [`BOUND`]; says what was waited for.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl FnMut() -> F,
) -> T {
    until_within(BOUND, what, look).await
}

/// Like [`until`], within `limit`.
pub(crate) async fn until_within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        // A look may hang too: at a stopped process, for example.
        let found = tokio::time::timeout_at(deadline, look()).await;
        match found {
            Ok(Some(found)) => return found,
            Ok(None) if Instant::now() < deadline => sleep(LOOK_EVERY).await,
            _ => panic!("waited {limit:?} in vain until {what}"),
        }
    }
}
