//! What the writer does within a transaction.

mod prune;
mod statements;

use rusqlite::{Connection, OptionalExtension, Result};
use taskfleet_core::{Epoch, Lease, TaskId, Timestamp, machine::Refusal, task::TaskRecord};

use super::{
    codes::{Columns, signed},
    rows::{attempt, attempt_columns, read_record, record_columns},
};
pub(super) use statements::{put_tally, touch};

use crate::{
    decide::{self, Former},
    error::Conflict,
    intake::{self, ClientRef, Known, Plan},
    tally::{Before, Tally},
    types::{Applied, Attempt, Change, NewTask, Submitted},
};

/// A transaction, and the numbers as they are when it is committed.
pub(super) struct Unit<'a> {
    pub(super) connection: &'a Connection,
    pub(super) epoch: Epoch,
    pub(super) tally: Tally,
}

impl Known for Unit<'_> {
    type Error = rusqlite::Error;

    fn by_key(&self, key: &str) -> Result<Option<(TaskId, [u8; 32])>> {
        let sql = "SELECT task_id, digest FROM idempotency WHERE key = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement
            .query_row([key], |row| Ok((TaskId::from_bytes(row.get(0)?), row.get(1)?)))
            .optional()
    }

    fn has_client_ref(&self, reference: ClientRef<'_>) -> Result<bool> {
        let ClientRef { tenant, group, name } = reference;
        let sql = "SELECT 1 FROM tasks WHERE tenant = ?1 AND grp = ?2 AND client_ref = ?3";
        self.connection.prepare_cached(sql)?.exists([tenant, group, name])
    }
}

impl Unit<'_> {
    pub(super) fn submit(
        &mut self,
        tasks: &[NewTask],
        now: Timestamp,
    ) -> Result<Result<Vec<Submitted>, Vec<Conflict>>> {
        let plans = match intake::plan(self, tasks)? {
            Ok(plans) => plans,
            Err(conflicts) => return Ok(Err(conflicts)),
        };
        let submitted = tasks.iter().zip(plans).map(|(task, plan)| self.accept(task, plan, now));
        submitted.collect::<Result<_>>().map(Ok)
    }

    fn accept(&mut self, task: &NewTask, plan: Plan, now: Timestamp) -> Result<Submitted> {
        if let Plan::Existing(id) = plan {
            let state = self.hot(id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.record.state;
            return Ok(Submitted::Existing { id, state });
        }
        let record = intake::record(task, self.epoch, now);
        statements::insert(self.connection, task, &record)?;
        self.tally.accepted(&record);
        Ok(Submitted::New(record))
    }

    pub(super) fn apply(
        &mut self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, Refusal>>> {
        changes.into_iter().map(|change| self.apply_one(change, now)).collect()
    }

    fn apply_one(&mut self, change: Change, now: Timestamp) -> Result<Result<Applied, Refusal>> {
        let Some(Hot { seq, mut record }) = self.hot(change.task)? else {
            return Ok(Err(Refusal::Unknown));
        };
        let before = Before::of(&record);
        let former = match decide::former(&record, &change.event) {
            Some(Former::Of(lease)) => self.attempt(seq, lease)?,
            Some(Former::Last) => self.last_attempt(seq)?,
            None => None,
        };
        let decision = decide::decide(&mut record, former, change, now);
        if let Some(attempt) = decision.attempt {
            statements::put_attempt(self.connection, seq, &attempt)?;
        }
        let Ok(mut applied) = decision.answer else {
            return Ok(decision.answer);
        };
        if let Some(result) = decision.result {
            statements::put_result(self.connection, seq, &result)?;
        }
        applied.outcome = self.tally.moved(before, &applied.record);
        statements::update(self.connection, &applied.record, applied.outcome)?;
        Ok(Ok(applied))
    }

    fn hot(&self, id: TaskId) -> Result<Option<Hot>> {
        let sql = concat!("SELECT ", record_columns!(), ", seq FROM tasks WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(sql)?;
        statement
            .query_row([id.as_bytes()], |row| {
                let mut from = Columns::new(row);
                Ok(Hot { record: read_record(&mut from)?, seq: from.get()? })
            })
            .optional()
    }

    fn attempt(&self, seq: i64, lease: Lease) -> Result<Option<Attempt>> {
        let sql =
            concat!("SELECT ", attempt_columns!(), " FROM attempts WHERE seq = ?1 AND lease = ?2");
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_row([seq, signed(lease.number())], attempt).optional()
    }

    fn last_attempt(&self, seq: i64) -> Result<Option<Attempt>> {
        let sql = concat!(
            "SELECT ",
            attempt_columns!(),
            " FROM attempts WHERE seq = ?1 ORDER BY lease DESC LIMIT 1"
        );
        self.connection.prepare_cached(sql)?.query_row([seq], attempt).optional()
    }
}

struct Hot {
    seq: i64,
    record: TaskRecord,
}
