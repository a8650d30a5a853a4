//! Watching: streams that pull what is new to their reader. A reader that is slow or gone
//! costs its own stream, and nobody else anything.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use taskfleet_core::{Lease, TaskId, outcome::Payload, task::TaskRecord};
use taskfleet_proto::v1::{self, watch_task_response::Event};
use taskfleet_store::{OutcomeFilter, TaskDetail};
use tokio::time::Instant;
use tonic::Status;

use super::{
    cursor::{self, Change, Seen},
    status,
    task_service::INLINE_RESULT,
    view,
};
use crate::{engine::Engine, hub::Feed};

/// Text of one event, in bytes at most.
const MAX_DELTA: usize = 256 << 10;
/// Outcomes read from the store at once …
const PAGE: usize = 64;
/// … with so much of each result, in bytes. The store ends a page when it has 1 MiB of them,
/// which is what a reader that stops holds. What is longer is read with GetResult.
const FEED_RESULT: usize = 256 << 10;
/// From one page that was not full to the next: a look at the store costs as much for one outcome
/// as for ten. What comes after a pause is seen at once.
const PAGE_EVERY: Duration = Duration::from_millis(5);
/// A watcher looks at least this often, whatever it was told.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The events of one task after what was seen, to its end.
pub(super) fn one(
    engine: Arc<Engine>,
    id: TaskId,
    seen: Seen,
) -> impl Stream<Item = Result<v1::WatchTaskResponse, Status>> {
    let feed = engine.hub.feed(id);
    let changes = feed.changes();
    let watcher = Watcher { engine, id, seen, feed, changes, ended: None, over: false };
    stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((event, watcher))
    })
}

struct Watcher {
    engine: Arc<Engine>,
    id: TaskId,
    seen: Seen,
    feed: Arc<Feed>,
    changes: tokio::sync::watch::Receiver<u64>,
    /// The task as it ended; what is left is to bring its text and itself.
    ended: Option<TaskDetail>,
    over: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<v1::WatchTaskResponse, Status>> {
        if self.over {
            return None;
        }
        let event = self.find_event().await;
        self.over = !matches!(&event, Ok(event) if !matches!(event, Event::Ended(_)));
        Some(event.map(|event| v1::WatchTaskResponse {
            task_id: self.id.to_string(),
            cursor: self.seen.to_cursor(),
            event: Some(event),
        }))
    }

    async fn find_event(&mut self) -> Result<Event, Status> {
        loop {
            self.changes.mark_unchanged();
            if let Some(event) = self.live_event() {
                return Ok(event);
            }
            if let Some(event) = self.last_events().await? {
                return Ok(event);
            }
            tokio::select! {
                _ = tokio::time::timeout(LOOK_EVERY, self.changes.changed()) => {}
                () = self.engine.tasks.stopping() => {
                    return Err(Status::unavailable("the supervisor is stopping: go on from the cursor"));
                }
            }
        }
    }

    /// What memory has that the reader has not.
    fn live_event(&mut self) -> Option<Event> {
        if self.ended.is_some() {
            return None;
        }
        let feed = self.feed.lock();
        let record = feed.record.as_ref().filter(|record| !record.state.is_terminal())?;
        let change = Change::of(record);
        if self.seen.change != Some(change) {
            self.seen.change = Some(change);
            return Some(Event::StateChanged(state_changed(record)));
        }
        let (lease, len) = (feed.lease, feed.text.len());
        if lease.is_none() {
            return None;
        }
        text_event(&mut self.seen, lease, len, |from| feed.text.from(from, MAX_DELTA))
    }

    /// What the store has, once the task has ended: the rest of the text, then the task.
    async fn last_events(&mut self) -> Result<Option<Event>, Status> {
        if self.ended.is_none() && !self.load().await? {
            return Ok(None);
        }
        let Some(detail) = &self.ended else { return Ok(None) };
        if let Some(Payload::Text(text)) = detail.result.as_ref().and_then(|r| r.payload.as_ref()) {
            let event = text_event(&mut self.seen, detail.record.lease, text.len(), |from| {
                let rest = text.get(from..)?;
                Some(&rest[..rest.floor_char_boundary(MAX_DELTA)])
            });
            if event.is_some() {
                return Ok(event);
            }
        }
        self.seen.change = Some(Change::of(&detail.record));
        Ok(self.ended.take().map(|detail| Event::Ended(view::task(detail))))
    }

    /// True when the task has ended. Otherwise memory knows its state from now on.
    async fn load(&mut self) -> Result<bool, Status> {
        let in_memory = self.feed.lock().record.as_ref().map(|record| record.state);
        if in_memory.is_some_and(|state| !state.is_terminal()) && !self.is_idle() {
            return Ok(false);
        }
        let detail = self.engine.store.task(self.id, INLINE_RESULT).await;
        let detail = detail.map_err(|error| status::of_store(&error))?;
        let detail = detail.ok_or_else(status::no_such_task)?;
        if detail.record.state.is_terminal() {
            self.ended = Some(detail);
            return Ok(true);
        }
        let mut feed = self.feed.lock();
        if feed.record.is_none() {
            feed.record = Some(detail.record);
            drop(feed);
            self.changes.mark_changed();
        }
        Ok(false)
    }

    /// Whether nothing drives the task here, so that only the store can tell.
    fn is_idle(&self) -> bool {
        !self.engine.executions.drives(self.id)
    }
}

/// The next piece of a text that is `len` bytes long, for a reader who has `seen`.
fn text_event<'t>(
    seen: &mut Seen,
    lease: Lease,
    len: usize,
    from: impl Fn(usize) -> Option<&'t str>,
) -> Option<Event> {
    if seen.lease == lease && seen.offset >= len {
        // Nothing new; or, after a restart, not yet as far as the reader has come.
        return None;
    }
    let offset = if seen.lease == lease { seen.offset } else { 0 };
    // Nothing is void when nothing was seen.
    let goes_on = seen.lease == lease || seen.offset == 0;
    if let (true, Some(text)) = (goes_on, from(offset).filter(|_| len > 0)) {
        *seen = Seen { lease, offset: offset + text.len(), ..*seen };
        let delta =
            v1::TextDelta { lease: lease.number(), offset: offset as u64, text: text.to_owned() };
        return Some(Event::TextDelta(delta));
    }
    if seen.offset == 0 {
        seen.lease = lease;
        return None;
    }
    let text = from(0).unwrap_or_default().to_owned();
    *seen = Seen { lease, offset: text.len(), ..*seen };
    Some(Event::TextSnapshot(v1::TextSnapshot { lease: lease.number(), text }))
}

fn state_changed(record: &TaskRecord) -> v1::TaskStateChanged {
    let mut changed = v1::TaskStateChanged {
        lease: record.lease.number(),
        worker: record.holder.as_ref().map(|holder| holder.name.clone()).unwrap_or_default(),
        counters: Some(view::counters(record.counters)),
        not_before: record.not_before.map(view::timestamp),
        ..v1::TaskStateChanged::default()
    };
    changed.set_state(record.state.into());
    changed.set_kind(view::kind(record.kind));
    changed
}

/// The feed of outcomes after outcome number `after`, without end.
pub(super) fn many(
    engine: Arc<Engine>,
    request: v1::WatchTasksRequest,
    after: Option<u64>,
) -> impl Stream<Item = Result<v1::WatchTasksResponse, Status>> {
    let number = after.unwrap_or_else(|| engine.store.last_outcome());
    let outcomes = engine.hub.outcomes();
    let filter = OutcomeFilter {
        tenant: request.tenant,
        group: request.group,
        labels: request.labels.into_iter().collect(),
    };
    let max_result = if request.omit_results { 0 } else { FEED_RESULT };
    let start = v1::WatchTasksResponse { cursor: cursor::outcome_cursor(number), task: None };
    let feed = OutcomeFeed {
        engine,
        filter,
        max_result,
        number,
        outcomes,
        page: vec![start].into_iter(),
        rest_until: None,
        over: false,
    };
    stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((event, feed))
    })
}

struct OutcomeFeed {
    engine: Arc<Engine>,
    filter: OutcomeFilter,
    max_result: usize,
    number: u64,
    outcomes: tokio::sync::watch::Receiver<u64>,
    page: std::vec::IntoIter<v1::WatchTasksResponse>,
    /// Until then outcomes gather for the next page.
    rest_until: Option<Instant>,
    over: bool,
}

impl OutcomeFeed {
    async fn next(&mut self) -> Option<Result<v1::WatchTasksResponse, Status>> {
        loop {
            if self.over {
                return None;
            }
            if let Some(event) = self.page.next() {
                return Some(Ok(event));
            }
            if let Err(status) = self.turn_page().await {
                self.over = true;
                return Some(Err(status));
            }
        }
    }

    /// Reads the next page, waiting until there is one.
    async fn turn_page(&mut self) -> Result<(), Status> {
        let told = *self.outcomes.borrow_and_update();
        let latest = told.max(self.engine.store.last_outcome());
        if latest <= self.number {
            tokio::select! {
                _ = tokio::time::timeout(LOOK_EVERY, self.outcomes.changed()) => {}
                () = self.engine.tasks.stopping() => {
                    return Err(Status::unavailable("the supervisor is stopping: go on from the cursor"));
                }
            }
            return Ok(());
        }
        if let Some(until) = self.rest_until.take() {
            tokio::time::sleep_until(until).await;
        }
        let began = Instant::now();
        let filter = self.filter.clone();
        let page = self.engine.store.outcomes(filter, self.number, PAGE, self.max_result).await;
        let page = page.map_err(|error| status::of_store(&error))?;
        self.number = page.seen.max(self.number);
        self.rest_until = (page.outcomes.len() < PAGE).then(|| began + PAGE_EVERY);
        let events: Vec<_> = page.outcomes.into_iter().map(event).collect();
        self.page = events.into_iter();
        Ok(())
    }
}

fn event((number, detail): (u64, TaskDetail)) -> v1::WatchTasksResponse {
    let cursor = cursor::outcome_cursor(number);
    v1::WatchTasksResponse { cursor, task: Some(view::task(detail)) }
}
