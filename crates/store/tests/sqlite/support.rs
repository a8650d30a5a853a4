//! Tasks to keep.

use std::{path::Path, sync::Arc};

use taskfleet_core::{
    BootId, TaskId, Timestamp,
    task::{Content, Holder, TaskSpec, Work},
};
use taskfleet_store::{NewTask, SqliteOptions, SqliteStore, StoreError};

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1_000)
}

pub(crate) fn open_at(path: &Path, seconds: u64, random: u8) -> Result<SqliteStore, StoreError> {
    let path = path.to_owned();
    SqliteStore::open(SqliteOptions { path, now: at(seconds), random: [random; 16] })
}

pub(crate) fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    open_at(path, 1_000, 1)
}

pub(crate) fn task(n: u8) -> NewTask {
    let text = format!("secret prompt {n}");
    let mut spec = TaskSpec::new(Work::Content(Content { text, ..Content::default() }));
    spec.idempotency_key = Some(format!("secret key {n}"));
    let id = TaskId::new(at(1), [n; 10]);
    NewTask { id, spec: Arc::new(spec), digest: [n; 32], claim: None }
}

pub(crate) fn holder() -> Holder {
    let boot_id = BootId::from_bytes([7; 16]);
    Holder { boot_id, name: "worker".to_owned(), address: "10.0.0.7:1".to_owned() }
}
