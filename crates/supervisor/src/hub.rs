//! What watchers see: for each task that runs or is watched, its last change and the text
//! of its live lease. Watchers come and take what is new to them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use taskfleet_core::{
    Lease, TaskId,
    task::{TaskRecord, TaskState},
    text::{Gap, TextLog},
};
use tokio::sync::watch;

/// Every feed, and the number of the latest outcome.
pub(crate) struct Hub {
    feeds: Mutex<HashMap<TaskId, Arc<Feed>>>,
    outcomes: watch::Sender<u64>,
}

/// One task as its watchers see it.
#[derive(Default)]
pub(crate) struct Feed {
    state: Mutex<FeedState>,
    /// Made for the first watcher: most tasks have none.
    version: OnceLock<watch::Sender<u64>>,
}

#[derive(Default)]
pub(crate) struct FeedState {
    /// The task at its last change; `None` when only the store knows.
    pub(crate) record: Option<TaskRecord>,
    /// The lease that `text` belongs to.
    pub(crate) lease: Lease,
    pub(crate) text: TextLog,
}

impl Hub {
    pub(crate) fn new(last_outcome: u64) -> Self {
        Self { feeds: Mutex::default(), outcomes: watch::Sender::new(last_outcome) }
    }

    /// The feed of a task that has not ended.
    pub(crate) fn feed(&self, task: TaskId) -> Arc<Feed> {
        self.lock().entry(task).or_default().clone()
    }

    /// A task changed: tells its watchers, and keeps no feed of one that has ended.
    pub(crate) fn publish(&self, record: &TaskRecord) {
        let feed = {
            let mut feeds = self.lock();
            let keep = record.state == TaskState::Running;
            match feeds.get(&record.id) {
                Some(feed) if keep || !record.state.is_terminal() => Some(feed.clone()),
                Some(_) => feeds.remove(&record.id),
                None if keep => Some(feeds.entry(record.id).or_default().clone()),
                None => None,
            }
        };
        if let Some(feed) = feed {
            feed.update(record);
        }
    }

    /// Outcome number `number` is on disk.
    pub(crate) fn outcome(&self, number: u64) {
        self.outcomes.send_if_modified(|last| {
            let newer = number > *last;
            *last = number.max(*last);
            newer
        });
    }

    /// Follows the number of the latest outcome.
    pub(crate) fn outcomes(&self) -> watch::Receiver<u64> {
        self.outcomes.subscribe()
    }

    /// Forgets feeds that nobody watches and nothing writes to.
    pub(crate) fn prune(&self, is_running: impl Fn(TaskId) -> bool) {
        self.lock().retain(|task, feed| Arc::strong_count(feed) > 1 || is_running(*task));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<Feed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a task has come: of two of its states the later one is greater.
fn progress(record: &TaskRecord) -> (bool, Lease, u32, u8) {
    let step = match record.state {
        // It was lost, and may be adopted once more.
        TaskState::Queued if record.lease_unheard => 0,
        TaskState::Running => 1,
        // It was taken back, which counts as no return.
        _ => 2,
    };
    (record.state.is_terminal(), record.lease, record.counters.returns(), step)
}

impl Feed {
    /// A piece of the text of `lease`; that of an older lease is passed over.
    pub(crate) fn text(&self, lease: Lease, offset: usize, delta: &str) -> Result<(), Gap> {
        let mut state = self.lock();
        if lease != state.lease {
            return Ok(());
        }
        state.text.push_at(offset, delta)?;
        drop(state);
        self.touch();
        Ok(())
    }

    /// Where the next piece of the text of `lease` begins.
    pub(crate) fn text_len(&self, lease: Lease) -> usize {
        let state = self.lock();
        if state.lease == lease { state.text.len() } else { 0 }
    }

    /// Follows the changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.get_or_init(|| watch::Sender::new(0)).subscribe()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, record: &TaskRecord) {
        let mut state = self.lock();
        if record.state == TaskState::Running && record.lease > state.lease {
            state.lease = record.lease;
            state.text = TextLog::default();
        }
        // Changes that were committed one after the other may take effect in another order.
        if state.record.as_ref().is_none_or(|known| progress(known) <= progress(record)) {
            state.record = Some(record.clone());
        }
        drop(state);
        self.touch();
    }

    /// Tells of a change that has been made. A watcher that comes too late to be told sees it: the
    /// sender is there before it looks, and it looks under the lock.
    fn touch(&self) {
        if let Some(version) = self.version.get() {
            version.send_modify(|version| *version += 1);
        }
    }
}
