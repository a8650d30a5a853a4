//! Lists of tasks, newest first. A page walks down one index, the one that is likely to meet
//! the fewest tasks in vain, and goes no further than so many rows: a list that matches next
//! to nothing costs many short pages rather than a long one.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Result, Row, params_from_iter, types::Value};
use taskfleet_core::{TaskId, task::TaskState};

use super::{
    codes::{Columns, state},
    rows::{meta_columns, read_listed, record_columns},
};
use crate::{
    list::{Looks, TaskFilter, TaskPage},
    types::{Counts, TaskDetail},
};

/// Rows that a page looks at, at most: a few milliseconds when they are in memory.
const LOOKS: usize = 2_000;
/// Above every id.
const NEWEST: [u8; 16] = [0xff; 16];

pub(super) fn list(
    from: &Connection,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: usize,
    counts: &Counts,
) -> Result<TaskPage> {
    let walk = walk(from, filter, before, limit, &Way::choose(filter, counts))?;
    let tasks = walk.found.into_iter().map(|id| detail(from, id));
    Ok(TaskPage { tasks: tasks.collect::<Result<_>>()?, next: walk.next })
}

fn detail(from: &Connection, id: TaskId) -> Result<TaskDetail> {
    let columns = concat!(record_columns!(), ", ", meta_columns!());
    let sql = format!("SELECT {columns} FROM tasks JOIN specs USING (seq) WHERE id = ?1");
    let mut statement = from.prepare_cached(&sql)?;
    statement.query_row([id.as_bytes()], |row| read_listed(&mut Columns::new(row)))
}

/// Which index a page walks down.
#[derive(Debug, PartialEq, Eq)]
enum Way<'a> {
    Label(&'a str, &'a str),
    Group(&'a str),
    Tenant(&'a str),
    States(BTreeSet<TaskState>),
    All,
}

impl<'a> Way<'a> {
    /// The states' way when it is short enough for one page (their numbers are kept); else
    /// what the client named most narrowly.
    fn choose(filter: &'a TaskFilter, counts: &Counts) -> Self {
        let states = filter.possible_states();
        // Completed tasks have no index of their own: they are what most tasks are.
        let indexed = !states.contains(&TaskState::Completed);
        let number: u64 = states.iter().map(|state| counts.of(*state)).sum();
        if indexed && number <= LOOKS as u64 {
            return Self::States(states);
        }
        match filter.labels.first_key_value() {
            Some((key, value)) => Self::Label(key, value),
            None if !filter.group.is_empty() => Self::Group(&filter.group),
            None if !filter.tenant.is_empty() => Self::Tenant(&filter.tenant),
            None if indexed => Self::States(states),
            None => Self::All,
        }
    }

    /// A query for the tasks on the way before ?1, newest first, and its other parameters.
    /// The conditions repeat those of the partial indexes, so that SQLite may use them.
    fn query(&self) -> (String, Vec<Value>) {
        let tasks = |index: &str, condition: &str| {
            format!("SELECT {LOOKED_AT} FROM tasks {index} WHERE {condition} AND id < ?1")
        };
        let text = |text: &str| Value::from(text.to_owned());
        let (sql, parameters) = match self {
            Self::All => (tasks("NOT INDEXED", "TRUE"), vec![]),
            Self::Group(group) => {
                let sql = tasks("INDEXED BY tasks_group", "grp = ?2 AND grp <> ''");
                (sql, vec![text(group)])
            }
            Self::Tenant(tenant) => {
                let sql = tasks("INDEXED BY tasks_tenant", "tenant = ?2 AND tenant <> ''");
                (sql, vec![text(tenant)])
            }
            Self::Label(key, value) => {
                let sql = format!(
                    "SELECT {LOOKED_AT} FROM labels CROSS JOIN tasks ON id = task_id \
                    WHERE labels.key = ?2 AND labels.value = ?3 AND task_id < ?1"
                );
                let order = format!("{sql} ORDER BY task_id DESC");
                return (order, vec![text(key), text(value)]);
            }
            Self::States(states) => {
                let one = |one: &TaskState| match one {
                    TaskState::Queued => tasks("INDEXED BY tasks_waiting", "state = 0"),
                    TaskState::Running => tasks("INDEXED BY tasks_running", "state = 1"),
                    ended => tasks("INDEXED BY tasks_failed", &is_among_failed(*ended)),
                };
                let each: Vec<String> = states.iter().map(one).collect();
                // Each is in order, and SQLite merges them as it goes.
                (each.join(" UNION ALL "), vec![])
            }
        };
        (format!("{sql} ORDER BY id DESC"), parameters)
    }
}

const LOOKED_AT: &str = "id, state, kind, tenant, grp";

fn is_among_failed(ended: TaskState) -> String {
    format!("state > 2 AND state = {}", state(ended))
}

#[derive(Default)]
struct Walk {
    found: Vec<TaskId>,
    next: Option<TaskId>,
}

fn walk(
    from: &Connection,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: usize,
    way: &Way<'_>,
) -> Result<Walk> {
    let mut walk = Walk::default();
    if *way == Way::States(BTreeSet::new()) {
        return Ok(walk);
    }
    let (sql, parameters) = way.query();
    let first = Value::from(before.map_or(NEWEST, |before| *before.as_bytes()).to_vec());
    let mut statement = from.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter([first].into_iter().chain(parameters)))?;
    let (mut looks, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        if walk.found.len() >= limit || looks >= LOOKS {
            walk.next = last;
            break;
        }
        let id = Columns::new(row).task_id()?;
        if likes(filter, row)? && has_labels(from, filter, id, &mut looks)? {
            walk.found.push(id);
        }
        last = Some(id);
        looks += 1;
    }
    Ok(walk)
}

fn likes(filter: &TaskFilter, row: &Row<'_>) -> Result<bool> {
    let mut columns = Columns::new(row);
    columns.task_id()?;
    let (state, kind) = (columns.state()?, columns.maybe_kind()?);
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
    Ok(filter.likes(Looks { state, kind, tenant: text(3)?, group: text(4)? }))
}

fn has_labels(
    from: &Connection,
    filter: &TaskFilter,
    id: TaskId,
    looks: &mut usize,
) -> Result<bool> {
    for (key, value) in &filter.labels {
        *looks += 1;
        let sql = "SELECT 1 FROM labels WHERE key = ?1 AND value = ?2 AND task_id = ?3";
        let mut statement = from.prepare_cached(sql)?;
        let found = statement.query_row((key, value, id.as_bytes()), |_| Ok(())).optional()?;
        if found.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
