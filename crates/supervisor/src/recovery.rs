//! A supervisor starts: everything that was running is looked for before it is given up.

use std::{collections::HashMap, sync::Arc};

use taskfleet_core::{BootId, task::Holder};
use taskfleet_store::StoreError;

use crate::engine::Engine;

/// Looks for every worker that had tasks. What waits is asked for when workers are there.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn begin(engine: &Arc<Engine>) -> Result<(), StoreError> {
    let running = engine.store.running().await?;
    let count = running.len();
    let holders: HashMap<BootId, Holder> =
        running.into_iter().map(|row| (row.holder.boot_id, row.holder)).collect();
    if count > 0 {
        tracing::info!(tasks = count, workers = holders.len(), "looking for running tasks");
    }
    for holder in holders.values() {
        engine.recall(holder);
    }
    Ok(())
}
