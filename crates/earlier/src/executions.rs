//! What runs and what is held.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::sleep};
use tonic::Status;

use crate::wire::v1::Caller;

/// Pieces of text of one answer …
const PIECES: u32 = 20;
/// … and the time between two.
const PAUSE: Duration = Duration::from_millis(100);

/// Task and lease.
pub(crate) type Held = (String, u64);

/// The text so far, and whether that is all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) text: String,
    pub(crate) whole: bool,
}

/// The executions of this worker.
#[derive(Debug, Default)]
pub(crate) struct Executions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    epoch: u64,
    begun: u32,
    known: HashMap<Held, Arc<watch::Sender<Progress>>>,
    running: JoinSet<()>,
}

impl Executions {
    /// Serves the supervisor of the highest epoch.
    pub(crate) fn check(&self, epoch: u64) -> Result<(), Status> {
        let mut state = self.lock();
        if epoch < state.epoch {
            return Err(Status::failed_precondition("a later supervisor serves"));
        }
        state.epoch = epoch;
        Ok(())
    }

    pub(crate) fn check_caller(&self, caller: Option<&Caller>) -> Result<(), Status> {
        self.check(caller.map_or(0, |caller| caller.epoch))
    }

    /// Attaches to an execution, or starts it unless `attach_only`.
    pub(crate) fn process(
        &self,
        held: Held,
        content: &str,
        attach_only: bool,
    ) -> Result<watch::Receiver<Progress>, Status> {
        let mut state = self.lock();
        if let Some(known) = state.known.get(&held) {
            return Ok(known.subscribe());
        }
        if attach_only {
            return Err(Status::not_found("not held here"));
        }
        let progress = Arc::new(watch::Sender::new(Progress::default()));
        let reader = progress.subscribe();
        state.begun += 1;
        state.known.insert(held, progress.clone());
        state.running.spawn(write(progress, content.to_owned()));
        Ok(reader)
    }

    pub(crate) fn forget(&self, held: &Held) -> bool {
        self.lock().known.remove(held).is_some()
    }

    pub(crate) fn begun(&self) -> u32 {
        self.lock().begun
    }

    /// Each with whether it has ended.
    pub(crate) fn held(&self) -> Vec<(Held, bool)> {
        let state = self.lock();
        state.known.iter().map(|(held, known)| (held.clone(), known.borrow().whole)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(progress: Arc<watch::Sender<Progress>>, content: String) {
    for piece in 0..PIECES {
        sleep(PAUSE).await;
        progress.send_modify(|progress| progress.text.push_str(&format!("{piece} of {content}. ")));
    }
    progress.send_modify(|progress| progress.whole = true);
}
