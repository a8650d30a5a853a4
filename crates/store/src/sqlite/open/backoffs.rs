//! Backoffs that were stored by another clock.

use rusqlite::{Connection, Result};
use taskfleet_core::{TaskId, Timestamp, retry, retry::RetryPolicy};

use crate::sqlite::codes::{Columns, millis};

/// A task that waits for a time to come.
struct Waiting {
    id: TaskId,
    not_before: Timestamp,
    /// The latest time that it can wait for, by this clock.
    latest: Timestamp,
}

/// Holds every stored backoff to its maximum from `now` on: when the clock was set back since,
/// it would otherwise last as much longer.
pub(super) fn clamp(connection: &Connection, now: Timestamp) -> Result<()> {
    let sql = "SELECT id, not_before, kind, max_backoff FROM tasks INDEXED BY tasks_queued \
        WHERE state = 0 AND not_before > ?1";
    let mut select = connection.prepare(sql)?;
    let mut update = connection.prepare("UPDATE tasks SET not_before = ?2 WHERE id = ?1")?;
    let late = select.query_map([millis(now)], |row| waiting(&mut Columns::new(row), now))?;
    // All are read before the first is written: the update moves rows in the index that is read.
    for task in late.collect::<Result<Vec<_>>>()? {
        if task.not_before > task.latest {
            update.execute((task.id.as_bytes(), millis(task.latest)))?;
        }
    }
    Ok(())
}

fn waiting(from: &mut Columns<'_>, now: Timestamp) -> Result<Waiting> {
    let (id, not_before) = (from.task_id()?, from.time()?);
    let kind = from.maybe_kind()?;
    let policy = RetryPolicy { max_backoff: from.duration()?, ..RetryPolicy::default() };
    Ok(Waiting { id, not_before, latest: now + retry::longest(kind, &policy) })
}
