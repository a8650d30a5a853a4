//! One command to the writer, and whoever waits for its answer.

use taskfleet_core::{TaskId, outcome::End};
use tokio::sync::oneshot;

use crate::{
    error::StoreError,
    sqlite::write::Unit,
    types::{Change, NewTask},
};

/// How much a command adds to a transaction.
#[derive(Debug, Clone, Copy)]
pub(in crate::sqlite) struct Weight {
    /// Tasks or changes.
    pub(in crate::sqlite) items: usize,
    /// Of content, bodies and results.
    pub(in crate::sqlite) bytes: usize,
}

impl Weight {
    pub(in crate::sqlite) fn of_tasks(tasks: &[NewTask]) -> Self {
        let bytes = |task: &NewTask| task.spec.work.size_bytes();
        let bytes = tasks.iter().map(bytes).sum::<u64>();
        Self { items: tasks.len(), bytes: usize::try_from(bytes).unwrap_or(usize::MAX) }
    }

    /// A removal is made small by whoever asks for it.
    pub(in crate::sqlite) const fn of_removals(tasks: &[TaskId]) -> Self {
        Self { items: tasks.len(), bytes: 0 }
    }

    pub(in crate::sqlite) fn of_changes(changes: &[Change]) -> Self {
        Self { items: changes.len(), bytes: changes.iter().map(payload_bytes).sum() }
    }
}

fn payload_bytes(change: &Change) -> usize {
    use taskfleet_core::machine::Event;
    match &change.event {
        Event::Ended { outcome, .. } => match &outcome.end {
            End::Completed(payload) => payload.as_bytes().len(),
            _ => 0,
        },
        _ => 0,
    }
}

/// A command, whatever it answers with.
pub(super) trait Job: Send {
    fn weight(&self) -> Weight;

    /// Does it, within the transaction.
    fn run(&mut self, unit: &mut Unit<'_>) -> rusqlite::Result<()>;

    /// Says what it answered, after the transaction; or what became of that.
    fn answer(self: Box<Self>, outcome: &Result<(), StoreError>);
}

pub(super) struct Write<T, F> {
    weight: Weight,
    write: Option<F>,
    written: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Write<T, F> {
    pub(super) const fn new(
        weight: Weight,
        write: F,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        Self { weight, write: Some(write), written: None, reply }
    }
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&mut Unit<'_>) -> rusqlite::Result<T> + Send,
{
    fn weight(&self) -> Weight {
        self.weight
    }

    fn run(&mut self, unit: &mut Unit<'_>) -> rusqlite::Result<()> {
        if let Some(write) = self.write.take() {
            self.written = Some(write(unit)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: &Result<(), StoreError>) {
        let answer = match (outcome, self.written) {
            (Ok(()), Some(written)) => Ok(written),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error.clone()),
        };
        // Whoever asked may have gone; the command stands all the same.
        let _ = self.reply.send(answer);
    }
}
