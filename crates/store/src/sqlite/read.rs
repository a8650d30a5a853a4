//! What is read from the file, each in a snapshot of its own.

use rusqlite::{Connection, OptionalExtension, Params, Result, Row, types::Value};
use taskfleet_core::{Lease, TaskId, Timestamp, task::TaskSpec};

use super::{
    codes::{Columns, millis, signed, size},
    rows::{
        attempt, attempt_columns, meta_columns, read_detail, read_spec, read_trace_context,
        record_columns, result_columns, running, running_columns,
    },
};
use crate::types::{EndedPage, Keyed, OutcomeFilter, OutcomePage, Running, TaskDetail, Trace};

pub(super) fn task(from: &Connection, id: TaskId, max_result: usize) -> Result<Option<TaskDetail>> {
    let sql = concat!(
        "SELECT tasks.seq, ",
        record_columns!(),
        ", ",
        meta_columns!(),
        ", ",
        result_columns!(),
        " FROM tasks JOIN specs USING (seq) LEFT JOIN results USING (seq) WHERE id = ?2"
    );
    let mut statement = from.prepare_cached(sql)?;
    let found = statement
        .query_row((size(max_result), id.as_bytes()), |row| {
            let mut columns = Columns::new(row);
            Ok((columns.get::<i64>()?, read_detail(&mut columns)?))
        })
        .optional()?;
    let Some((seq, detail)) = found else {
        return Ok(None);
    };
    let sql =
        concat!("SELECT ", attempt_columns!(), " FROM attempts WHERE seq = ?1 ORDER BY lease");
    Ok(Some(TaskDetail { attempts: all(from, sql, [seq], attempt)?, ..detail }))
}

pub(super) fn specs(from: &Connection, ids: &[TaskId]) -> Result<Vec<(TaskId, TaskSpec)>> {
    let sql = concat!(
        "SELECT ",
        record_columns!(),
        ", ",
        meta_columns!(),
        ", time_limit, rest, body FROM tasks JOIN specs USING (seq) WHERE id = ?1"
    );
    let mut statement = from.prepare_cached(sql)?;
    let mut spec = |id: &TaskId| {
        statement.query_row([id.as_bytes()], |row| read_spec(&mut Columns::new(row))).optional()
    };
    ids.iter().filter_map(|id| spec(id).transpose()).collect()
}

pub(super) fn trace(from: &Connection, id: TaskId, lease: Lease) -> Result<Option<Trace>> {
    let sql = "SELECT tasks.seq, rest FROM tasks JOIN specs USING (seq) WHERE id = ?1";
    let found = from.prepare_cached(sql)?.query_row([id.as_bytes()], |row| {
        let mut columns = Columns::new(row);
        Ok((columns.get::<i64>()?, read_trace_context(&mut columns)?))
    });
    let Some((seq, context)) = found.optional()? else { return Ok(None) };
    let sql =
        concat!("SELECT ", attempt_columns!(), " FROM attempts WHERE seq = ?1 AND lease = ?2");
    let key = (seq, signed(lease.number()));
    let attempt = from.prepare_cached(sql)?.query_row(key, attempt).optional()?;
    Ok(Some(Trace { context, attempt }))
}

pub(super) fn keyed(from: &Connection, keys: &[String]) -> Result<Vec<Keyed>> {
    let sql = "SELECT task_id, digest, state FROM idempotency JOIN tasks ON id = task_id \
        WHERE key = ?1";
    let mut statement = from.prepare_cached(sql)?;
    let mut known = |key: &String| {
        let read = |row: &Row<'_>| {
            let mut columns = Columns::new(row);
            let (id, digest) = (columns.task_id()?, columns.get()?);
            Ok(Keyed { key: key.clone(), id, digest, state: columns.state()? })
        };
        statement.query_row([key], read).optional()
    };
    keys.iter().filter_map(|key| known(key).transpose()).collect()
}

pub(super) fn all_running(from: &Connection) -> Result<Vec<Running>> {
    let sql = concat!(
        "SELECT ",
        running_columns!(),
        " FROM tasks INDEXED BY tasks_running WHERE state = 1 ORDER BY id"
    );
    all(from, sql, [], running)
}

pub(super) fn overdue(from: &Connection, now: Timestamp, limit: usize) -> Result<Vec<TaskId>> {
    let sql = "SELECT id FROM tasks INDEXED BY tasks_deadline \
        WHERE outcome IS NULL AND deadline <= ?1 ORDER BY deadline, id LIMIT ?2";
    all(from, sql, [millis(now), size(limit)], |row| Columns::new(row).task_id())
}

pub(super) fn oldest_queued(from: &Connection) -> Result<Option<Timestamp>> {
    let sql = "SELECT created_at FROM tasks INDEXED BY tasks_waiting WHERE state = 0 \
        ORDER BY id LIMIT 1";
    from.prepare_cached(sql)?.query_row([], |row| Columns::new(row).time()).optional()
}

/// Only as many are looked at as are asked for, wherever they lie in time.
pub(super) fn ended_by(
    from: &Connection,
    time: Timestamp,
    after: u64,
    limit: usize,
) -> Result<EndedPage> {
    let sql = "SELECT outcome, id, finished_at FROM tasks INDEXED BY tasks_outcome \
        WHERE outcome IS NOT NULL AND outcome > ?1 ORDER BY outcome LIMIT ?2";
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let looked_at = all(from, sql, [after, size(limit)], |row| {
        let mut columns = Columns::new(row);
        Ok((columns.number()?, columns.task_id()?, columns.time()?))
    })?;
    Ok(EndedPage::new(&looked_at, time, limit))
}

pub(super) fn outcomes(
    from: &Connection,
    filter: &OutcomeFilter,
    after: u64,
    limit: usize,
    max_result: usize,
) -> Result<OutcomePage> {
    let latest = from
        .prepare_cached("SELECT last_outcome FROM store")?
        .query_row([], |row| Columns::new(row).number())?;
    let (sql, parameters) = outcomes_query(filter, after, limit, max_result);
    let mut statement = from.prepare_cached(&sql)?;
    let outcomes = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
        let mut columns = Columns::new(row);
        Ok((columns.number()?, read_detail(&mut columns)?))
    })?;
    OutcomePage::cut(outcomes, after, limit, latest)
}

/// In the order of the outcomes, whatever is asked for: the next page begins where this one
/// ends.
fn outcomes_query(
    filter: &OutcomeFilter,
    after: u64,
    limit: usize,
    max_result: usize,
) -> (String, Vec<Value>) {
    let mut sql = concat!(
        "SELECT outcome, ",
        record_columns!(),
        ", ",
        meta_columns!(),
        ", ",
        result_columns!(),
        " FROM tasks INDEXED BY tasks_outcome JOIN specs USING (seq) \
        LEFT JOIN results USING (seq) WHERE outcome IS NOT NULL AND outcome > ?2"
    )
    .to_owned();
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut parameters = [size(max_result), after, size(limit)].map(Value::from).to_vec();
    let mut also = |condition: &str, value: &str, close: &str| {
        parameters.push(Value::from(value.to_owned()));
        sql.push_str(&format!(" AND {condition} = ?{}{close}", parameters.len()));
    };
    if !filter.tenant.is_empty() {
        also("tenant", &filter.tenant, "");
    }
    if !filter.group.is_empty() {
        also("grp", &filter.group, "");
    }
    for (key, value) in &filter.labels {
        also("EXISTS (SELECT 1 FROM labels WHERE task_id = id AND key", key, "");
        also("value", value, ")");
    }
    sql.push_str(" ORDER BY outcome LIMIT ?3");
    (sql, parameters)
}

pub(super) fn all<T>(
    from: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    from.prepare_cached(sql)?.query_map(parameters, read)?.collect()
}
