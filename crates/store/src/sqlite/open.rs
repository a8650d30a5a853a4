//! Opening a store: whose file it is, its tables, and the next epoch.

mod backoffs;
mod files;

use std::path::PathBuf;

use rusqlite::{
    Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig, ffi::ErrorCode,
    params,
};
use taskfleet_core::{Epoch, StoreId, Timestamp};

use super::{
    codes::{Columns, signed},
    fault::describe,
};
use crate::{
    error::StoreError,
    tally::Tally,
    types::{Counts, Identity, Totals},
};
pub(super) use files::{Files, Lock};

/// "tafl": says whose file it is (sqlite.org/pragma.html#pragma_application_id).
const APPLICATION_ID: i32 = 0x7461_666c;
/// The format of schema.sql: raised with each change of it. Files in an earlier one are
/// refused, for no version that wrote one was ever released.
const FORMAT: u32 = 4;
const SCHEMA: &str = include_str!("schema.sql");
/// Every statement there is, also those for some filters of outcomes.
const CACHED_STATEMENTS: usize = 64;

/// How to open a store in a file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; it is made, with its directory, where there is none.
    pub path: PathBuf,
    /// The time: an epoch is at least its seconds.
    pub now: Timestamp,
    /// For the id of a new store.
    pub random: [u8; 16],
}

/// An open file, before its threads are started.
pub(super) struct Opened {
    pub(super) identity: Identity,
    pub(super) tally: Tally,
    pub(super) connection: Connection,
    pub(super) opener: Opener,
    pub(super) files: Files,
    pub(super) lock: Lock,
}

pub(super) fn open(options: SqliteOptions) -> Result<Opened, StoreError> {
    let SqliteOptions { path: named, now, random } = options;
    files::check_kind(&named)?;
    let known = files::make_directory(&named)?;
    let path = files::resolve(&named)?;
    let lock = Lock::take(&path)?;
    files::check_whole(&path)?;
    let opener = Opener { path };
    let mut connection = opener.writer()?;
    let is_new = opener.check(&connection)?;
    if !settle_journal(&connection).map_err(|error| opener.describe(&error))? {
        let reason = "its file system cannot hold a write-ahead log".to_owned();
        return Err(StoreError::Unusable { path: opener.path, reason });
    }
    let new = is_new.then(|| StoreId::from_random(random));
    let (identity, tally) =
        begin_epoch(&mut connection, now, new).map_err(|error| opener.describe(&error))?;
    if is_new {
        files::sync_directories(&opener.path, &known)?;
    }
    let files = Files::of(&opener.path);
    Ok(Opened { identity, tally, connection, opener, files, lock })
}

/// Makes connections to the file.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    path: PathBuf,
}

impl Opener {
    fn writer(&self) -> Result<Connection, StoreError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Each connection stays with one thread: no mutex of SQLite's is needed.
    fn connect(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            // Only a person with another tool can hold it up.
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
            // Plans by the statement's words alone: else one with `LIMIT ?` is parsed and planned
            // anew each time that it is run, which cost readers almost half of their time.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            Ok(connection)
        };
        connect().map_err(|error| self.describe(&error))
    }

    /// What went wrong while the store was opened, with its path.
    fn describe(&self, error: &rusqlite::Error) -> StoreError {
        let path = self.path.clone();
        match (error.sqlite_error_code(), describe(error)) {
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => {
                StoreError::Damaged(path)
            }
            (_, StoreError::Failed(reason)) => StoreError::Unusable { path, reason },
            (_, StoreError::Full) => {
                StoreError::Unusable { path, reason: "its disk is full".to_owned() }
            }
            (_, other) => other,
        }
    }

    /// Whether the file is new; an error if it is not ours. Changes nothing.
    fn check(&self, connection: &Connection) -> Result<bool, StoreError> {
        let marks = read_marks(connection).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotAStore(self.path.clone()),
            _ => self.describe(&error),
        })?;
        match marks {
            Marks { application: 0, format: 0, tables: 0 } => Ok(true),
            Marks { application: APPLICATION_ID, format: FORMAT, .. } => Ok(false),
            Marks { application: APPLICATION_ID, format: found @ 1..FORMAT, .. } => {
                Err(StoreError::Older { path: self.path.clone(), found, known: FORMAT })
            }
            Marks { application: APPLICATION_ID, format: found, .. } if found > FORMAT => {
                Err(StoreError::Newer { path: self.path.clone(), found, known: FORMAT })
            }
            _ => Err(StoreError::NotAStore(self.path.clone())),
        }
    }
}

/// What tells whose file it is.
struct Marks {
    application: i32,
    format: u32,
    tables: u32,
}

fn read_marks(connection: &Connection) -> rusqlite::Result<Marks> {
    let tables = "SELECT count(*) FROM sqlite_schema";
    Ok(Marks {
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        format: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        tables: connection.query_row(tables, [], |row| row.get(0))?,
    })
}

/// FULL: each commit is synced before it is answered. With NORMAL a power cut would take
/// tasks away that were accepted.
///
/// False: the file system cannot hold a write-ahead log.
fn settle_journal(connection: &Connection) -> rusqlite::Result<bool> {
    let mode = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    // On macOS only this reaches the disk's platter; elsewhere it says nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    // After a burst the file shrinks to this again.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // In KiB: a group of tasks should find its pages here. More is not better: SQLite walks over
    // all of it at the end of most transactions.
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    Ok(mode == "wal")
}

/// Makes the tables of a `new` file, raises the epoch and holds backoffs to their maximum, synced
/// when this returns.
fn begin_epoch(
    connection: &mut Connection,
    now: Timestamp,
    new: Option<StoreId>,
) -> rusqlite::Result<(Identity, Tally)> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    if let Some(id) = new {
        make(&transaction, id)?;
    }
    let (stored, tally) = read_store(&transaction)?;
    let epoch = stored.epoch.next(now.unix_millis() / 1_000);
    transaction.execute("UPDATE store SET epoch = ?1", [signed(epoch.number())])?;
    backoffs::clamp(&transaction, now)?;
    transaction.commit()?;
    Ok((Identity { epoch, former: stored.epoch, ..stored }, tally))
}

fn make(connection: &Connection, id: StoreId) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    let sql = "INSERT INTO store (only_row, store_id, epoch) VALUES (1, ?1, 0)";
    connection.execute(sql, params![id.as_bytes()])?;
    Ok(())
}

fn read_store(connection: &Connection) -> rusqlite::Result<(Identity, Tally)> {
    let sql = "SELECT store_id, epoch, queued, running, completed, failed, cancelled, \
        queued_bytes, last_outcome, attempts_failed, worker_losses, throttles, requeues \
        FROM store";
    connection.query_row(sql, [], |row| {
        let mut from = Columns::new(row);
        let store = StoreId::from_bytes(from.get()?);
        let identity =
            Identity { store, epoch: Epoch::new(from.number()?), former: Epoch::default() };
        let counts = Counts {
            queued: from.number()?,
            running: from.number()?,
            completed: from.number()?,
            failed: from.number()?,
            cancelled: from.number()?,
            queued_bytes: from.number()?,
        };
        let last_outcome = from.number()?;
        let totals = Totals {
            attempts_failed: from.number()?,
            worker_losses: from.number()?,
            throttles: from.number()?,
            requeues: from.number()?,
        };
        Ok((identity, Tally { counts, totals, last_outcome }))
    })
}
