//! What waits, by lanes. Everything here walks along the one index over queued tasks and
//! reads no row in vain, so that the depth of the queue costs nothing.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use taskfleet_core::{
    TaskId, Timestamp,
    demand::Demand,
    queue::{Lane, LaneRead, LaneRows},
};

use super::{
    codes::{Columns, millis, size},
    read::all,
    rows::{read_record, record_columns},
};

/// From lane to lane, without looking at the tasks between (a loose index scan).
pub(super) fn lanes(from: &Connection, after: Option<Lane>, limit: usize) -> Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    let mut last = after;
    while lanes.len() < limit {
        let next = match &last {
            Some(lane) => match next_in_priority(from, lane)? {
                None => first_below(from, i64::from(lane.priority))?,
                next => next,
            },
            None => first_below(from, i64::MAX)?,
        };
        let Some(next) = next else { break };
        lanes.push(next.clone());
        last = Some(next);
    }
    Ok(lanes)
}

fn next_in_priority(from: &Connection, lane: &Lane) -> Result<Option<Lane>> {
    let sql = "SELECT priority, tenant, model, demand FROM tasks INDEXED BY tasks_queued \
        WHERE state = 0 AND priority = ?1 AND (tenant, model, demand) > (?2, ?3, ?4) \
        ORDER BY tenant, model, demand LIMIT 1";
    let parameters = params![lane.priority, lane.tenant, model(lane), lane.demand.code()];
    from.prepare_cached(sql)?.query_row(parameters, read_lane).optional()
}

fn first_below(from: &Connection, priority: i64) -> Result<Option<Lane>> {
    let sql = "SELECT priority, tenant, model, demand FROM tasks INDEXED BY tasks_queued \
        WHERE state = 0 AND priority < ?1 \
        ORDER BY priority DESC, tenant, model, demand LIMIT 1";
    from.prepare_cached(sql)?.query_row([priority], read_lane).optional()
}

fn model(lane: &Lane) -> &str {
    lane.model.as_deref().unwrap_or_default()
}

fn read_lane(row: &Row<'_>) -> Result<Lane> {
    let mut columns = Columns::new(row);
    Ok(Lane {
        priority: columns.get()?,
        tenant: columns.get::<String>()?.into(),
        model: columns.maybe_text()?.map(Into::into),
        demand: Demand::from_code(columns.get()?),
    })
}

macro_rules! in_lane {
    ($what:expr, $rest:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM tasks INDEXED BY tasks_queued WHERE state = 0 \
            AND priority = ?1 AND tenant = ?2 AND model = ?3 AND demand = ?4 AND ",
            $rest
        )
    };
}

pub(super) fn ready(from: &Connection, read: &LaneRead, now: Timestamp) -> Result<LaneRows> {
    let lane = &read.lane;
    let (model, demand, now) = (model(lane), lane.demand.code(), millis(now));
    let first = read.from.as_ref().map_or(&[][..], |id| id.as_bytes());
    let after = read.due_after.as_ref();
    let (due, due_id) =
        after.map_or((i64::MIN, &[][..]), |(due, id): &(_, TaskId)| (millis(*due), id.as_bytes()));
    let record = |row: &Row<'_>| read_record(&mut Columns::new(row));
    let sql = in_lane!(record_columns!(), "not_before IS NULL AND id >= ?5 ORDER BY id LIMIT ?6");
    let (fresh_limit, due_limit) = (size(read.limit), size(read.due_limit));
    let parameters = params![lane.priority, lane.tenant, model, demand, first, fresh_limit];
    let fresh = if read.limit == 0 { Vec::new() } else { all(from, sql, parameters, record)? };
    let sql = in_lane!(
        record_columns!(),
        "not_before <= ?5 AND (not_before, id) > (?6, ?7) ORDER BY not_before, id LIMIT ?8"
    );
    let parameters =
        params![lane.priority, lane.tenant, model, demand, now, due, due_id, due_limit];
    let due = all(from, sql, parameters, record)?;
    let sql = in_lane!("not_before", "not_before > ?5 ORDER BY not_before LIMIT 1");
    let parameters = params![lane.priority, lane.tenant, model, demand, now];
    let next_due = from
        .prepare_cached(sql)?
        .query_row(parameters, |row| Columns::new(row).time())
        .optional()?;
    Ok(LaneRows { fresh, due, next_due })
}
