//! What a supervisor does about what a worker says it holds.

use std::collections::HashMap;

use crate::{Lease, TaskId, machine::Event, task::Holder};

/// An execution that a worker runs, or whose outcome it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// Of the execution.
    pub lease: Lease,
}

/// Events to apply, each with the execution that it is about.
pub type Decisions = Vec<(Held, Event)>;

/// The events to apply after a worker's answer to Adopt: each held execution is offered to
/// its task (a refusal means: settle it as stale), and each lease that the store believes
/// to be there and is not (`believed`) is known not to run.
///
/// Believe only leases of earlier epochs ([`Lease::epoch`]): their requests are refused
/// since the worker was adopted. A request of this epoch may still lie in a connection
/// that broke, or be on its way in one that did not, and would start after the worker said
/// that it holds nothing. Ask for those with `attach_only`, which forbids them to start.
#[must_use]
pub fn reconcile(holder: &Holder, held: &[Held], believed: &[Held]) -> (Decisions, Decisions) {
    let leases: HashMap<TaskId, Lease> = held.iter().map(|held| (held.task, held.lease)).collect();
    let adopt = held
        .iter()
        .map(|&held| (held, Event::Adopt { lease: held.lease, holder: holder.clone() }))
        .collect();
    let missing = believed
        .iter()
        .filter(|believed| leases.get(&believed.task) != Some(&believed.lease))
        .map(|&believed| (believed, Event::NotStarted { lease: believed.lease }))
        .collect();
    (adopt, missing)
}
