//! Following executions that workers have already.

use std::sync::Arc;

use taskfleet_core::{
    adoption::Held,
    machine::Event,
    task::{TaskRecord, TaskState},
};

use crate::{engine::Engine, executions::NotBegun, fleet::Member};

impl Engine {
    /// Follows an execution that the worker has already. False: it was abandoned before, and
    /// the worker is to be told.
    #[must_use]
    pub(crate) fn attach(self: &Arc<Self>, member: &Arc<Member>, record: &TaskRecord) -> bool {
        let slot = self.board.occupy(&member.holder(), record.runs_alone());
        self.drive(member, record, None, slot) != Err(NotBegun::Abandoned)
    }

    /// Follows those executions that run after all: a loss that was written before they were
    /// adopted abandons them, too. The others are answered: the worker is to be told of them.
    pub(crate) async fn follow_or_leave(
        self: &Arc<Self>,
        member: &Arc<Member>,
        abandoned: Vec<Held>,
    ) -> Vec<Held> {
        let mut over = Vec::new();
        for held in abandoned {
            if self.follow(member, held).await != Some(true) {
                over.push(held);
            }
        }
        over
    }

    /// Follows executions that the store knows and nobody here follows (any more). Those that
    /// were abandoned meanwhile are answered: the worker is to be told of them.
    pub(crate) async fn follow_again(
        self: &Arc<Self>,
        member: &Arc<Member>,
        held: Vec<Held>,
    ) -> Vec<Held> {
        let mut abandoned = Vec::new();
        if member.is_published_only() {
            let lost = |held: &Held| self.change(held.task, Event::Lost { lease: held.lease });
            self.apply_surely(held.iter().map(lost).collect()).await;
            return abandoned;
        }
        for held in held {
            if self.follow(member, held).await == Some(false) {
                abandoned.push(held);
            }
        }
        abandoned
    }

    /// Attaches to an execution that runs by the store, as [`Engine::attach`] says; `None`: it
    /// is not known to run.
    async fn follow(self: &Arc<Self>, member: &Arc<Member>, held: Held) -> Option<bool> {
        // From before it is read: it may be cancelled before its driver has begun.
        let _marked = self.executions.claiming(vec![held.task]);
        let record = self.store.task(held.task, 0).await.ok()??.record;
        let runs = record.lease == held.lease && record.state == TaskState::Running;
        runs.then(|| self.attach(member, &record))
    }
}
