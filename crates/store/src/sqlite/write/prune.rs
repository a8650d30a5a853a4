//! Taking ended tasks out, with all that belongs to them.

use rusqlite::{Connection, OptionalExtension, Result};
use taskfleet_core::{TaskId, task::TaskState};

use super::Unit;
use crate::sqlite::{codes::Columns, rows::Rest};

/// One transaction frees no more bytes than this: each page of them is touched.
const MAX_BYTES: u64 = 16 << 20;

/// What belongs to one task.
struct Belongings {
    seq: i64,
    state: TaskState,
    labels: std::collections::BTreeMap<String, String>,
    key: Option<String>,
    bytes: u64,
}

impl Unit<'_> {
    pub(in crate::sqlite) fn remove(&mut self, tasks: &[TaskId], max_rows: usize) -> Result<usize> {
        let (mut removed, mut rows, mut bytes) = (0, max_rows, 0);
        for id in tasks {
            let Some(task) = belongings(self.connection, *id)? else { continue };
            if !task.state.is_terminal() {
                continue;
            }
            bytes += task.bytes;
            if removed > 0 && bytes > MAX_BYTES {
                break;
            }
            rows -= remove_attempts(self.connection, task.seq, rows)?;
            let own = 3 + task.labels.len() + usize::from(task.key.is_some());
            if rows < own {
                break;
            }
            rows -= own;
            remove_rest(self.connection, *id, &task)?;
            self.tally.removed(task.state);
            removed += 1;
        }
        Ok(removed)
    }
}

fn belongings(from: &Connection, id: TaskId) -> Result<Option<Belongings>> {
    let sql = "SELECT tasks.seq, state, labels, rest, \
        size_bytes + ifnull(length(payload), 0) \
        FROM tasks JOIN specs USING (seq) LEFT JOIN results USING (seq) WHERE id = ?1";
    let mut statement = from.prepare_cached(sql)?;
    statement
        .query_row([id.as_bytes()], |row| {
            let mut from = Columns::new(row);
            Ok(Belongings {
                seq: from.get()?,
                state: from.state()?,
                labels: from.json()?,
                key: from.json::<Rest<'static>>()?.idempotency_key(),
                bytes: from.number()?,
            })
        })
        .optional()
}

/// A task that was throttled for days has thousands of them: at most `max`, the oldest first.
fn remove_attempts(from: &Connection, seq: i64, max: usize) -> Result<usize> {
    let sql = "DELETE FROM attempts WHERE seq = ?1 AND lease IN \
        (SELECT lease FROM attempts WHERE seq = ?1 ORDER BY lease LIMIT ?2)";
    from.prepare_cached(sql)?.execute((seq, crate::sqlite::codes::size(max)))
}

fn remove_rest(from: &Connection, id: TaskId, task: &Belongings) -> Result<()> {
    let id = id.as_bytes();
    for (key, value) in &task.labels {
        let sql = "DELETE FROM labels WHERE key = ?1 AND value = ?2 AND task_id = ?3";
        from.prepare_cached(sql)?.execute((key, value, id))?;
    }
    if let Some(key) = &task.key {
        from.prepare_cached("DELETE FROM idempotency WHERE key = ?1")?.execute([key])?;
    }
    from.prepare_cached("DELETE FROM results WHERE seq = ?1")?.execute([task.seq])?;
    from.prepare_cached("DELETE FROM specs WHERE seq = ?1")?.execute([task.seq])?;
    from.prepare_cached("DELETE FROM tasks WHERE id = ?1")?.execute([id])?;
    Ok(())
}
