//! A time limit for the answers of others that does not blame them for our own pauses.

use std::{future::Future, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

/// The limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within the time limit")]
pub struct OutOfPatience;

/// In how many steps a limit is waited out.
const STEPS: u32 = 10;

/// Waits for `answer`, at most `limit`.
///
/// The limit is counted in ten steps, and a step that took long counts once: while this
/// process is stopped, or starved of its CPU, answers pile up unread in its sockets, and an
/// ordinary timeout would fire before the first of them is looked at.
///
/// # Errors
/// [`OutOfPatience`] when there is no answer.
pub async fn answer_within<T>(
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, OutOfPatience> {
    let mut answer = std::pin::pin!(answer);
    let mut step = interval((limit / STEPS).max(Duration::from_millis(1)));
    step.set_missed_tick_behavior(MissedTickBehavior::Delay);
    step.tick().await;
    for _ in 0..STEPS {
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer),
            _ = step.tick() => {}
        }
    }
    Err(OutOfPatience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_limit_holds_for_an_answer_that_never_comes() {
        let start = tokio::time::Instant::now();
        let limit = Duration::from_secs(1);
        let answer = answer_within(limit, std::future::pending::<()>()).await;
        assert_eq!(answer, Err(OutOfPatience));
        assert!(start.elapsed() >= limit && start.elapsed() < 2 * limit);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_this_process_stood_still_is_not_held_against_the_peer() {
        let stalled = async {
            let mut turns = 0;
            std::future::poll_fn(|cx| {
                turns += 1;
                cx.waker().wake_by_ref();
                if turns > 3 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
        };
        let answer = answer_within(Duration::from_secs(1), async {
            tokio::time::advance(Duration::from_secs(5)).await;
            stalled.await;
        });
        assert_eq!(answer.await, Ok(()));
    }
}
