//! What may happen next. Every number picks one of whatever there is to pick from.

use proptest::prelude::*;

use crate::api::Reply;

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Submit { hurried: bool },
    Dispatch { task: usize, worker: usize },
    Deliver(usize),
    DeliverLast,
    BeginCall(usize),
    EndCall(usize, Reply),
    Settle { worker: usize },
    Redial { worker: usize },
    TimeOut(usize),
    Wait,
    Cancel(usize),
    Break { worker: usize, read: bool },
    Lose(usize),
    Duplicate(usize),
    Intrude { worker: usize },
    KillSupervisor,
    DieAfterClaim { task: usize, worker: usize },
    StartSupervisor,
    KillWorker { worker: usize, silent: bool, flush: bool },
    DeclareLost { worker: usize },
    Drain { worker: usize, grace: bool },
    BackUp,
    Restore,
}

use Action::*;

/// Work and time go on, and connections break again and again under one supervisor, so that
/// what lies in the broken ones is of the epoch that is served.
pub(crate) fn with_breaking_connections() -> BoxedStrategy<Action> {
    prop_oneof![
        50 => peaceful(Just(Reply::Good).boxed()),
        9 => worker().prop_map(|worker| Redial { worker }),
        6 => (worker(), any::<bool>()).prop_map(|(worker, read)| Break { worker, read }),
        3 => connection_faults(),
    ]
    .boxed()
}

/// Work and time go on, messages are late and out of order, connections break, and
/// supervisors die.
pub(crate) fn with_dying_supervisors() -> BoxedStrategy<Action> {
    let good = || prop_oneof![7 => Just(Reply::Good), 1 => Just(Reply::Fatal)];
    prop_oneof![
        60 => peaceful(good().boxed()),
        9 => connection_faults(),
        4 => Just(KillSupervisor),
        1 => (some(), worker()).prop_map(|(task, worker)| DieAfterClaim { task, worker }),
        8 => Just(StartSupervisor),
    ]
    .boxed()
}

/// All that, and workers die or are taken for dead or are stopped, and calls fail.
pub(crate) fn with_every_fault() -> BoxedStrategy<Action> {
    let any_reply = prop_oneof![
        5 => Just(Reply::Good),
        2 => Just(Reply::Retryable),
        2 => Just(Reply::SlowDown),
        1 => Just(Reply::Fatal),
    ];
    prop_oneof![
        60 => peaceful(any_reply.boxed()),
        9 => connection_faults(),
        3 => Just(KillSupervisor),
        1 => (some(), worker()).prop_map(|(task, worker)| DieAfterClaim { task, worker }),
        8 => Just(StartSupervisor),
        2 => (worker(), any::<bool>(), any::<bool>())
            .prop_map(|(worker, silent, flush)| KillWorker { worker, silent, flush }),
        3 => worker().prop_map(|worker| DeclareLost { worker }),
        1 => (worker(), any::<bool>()).prop_map(|(worker, grace)| Drain { worker, grace }),
    ]
    .boxed()
}

/// All that, and now and then the store is replaced by an old backup.
pub(crate) fn with_old_backups() -> BoxedStrategy<Action> {
    prop_oneof![
        90 => with_every_fault(),
        2 => Just(BackUp),
        2 => Just(Restore),
    ]
    .boxed()
}

fn peaceful(reply: BoxedStrategy<Reply>) -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => any::<bool>().prop_map(|hurried| Submit { hurried }),
        10 => (some(), worker()).prop_map(|(task, worker)| Dispatch { task, worker }),
        14 => some().prop_map(Deliver),
        14 => Just(DeliverLast),
        7 => some().prop_map(BeginCall),
        6 => (some(), reply).prop_map(|(nth, reply)| EndCall(nth, reply)),
        4 => worker().prop_map(|worker| Settle { worker }),
        8 => worker().prop_map(|worker| Redial { worker }),
        2 => some().prop_map(TimeOut),
        2 => Just(Wait),
        2 => some().prop_map(Cancel),
    ]
}

fn connection_faults() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => (worker(), any::<bool>()).prop_map(|(worker, read)| Break { worker, read }),
        2 => some().prop_map(Lose),
        2 => some().prop_map(Duplicate),
        1 => worker().prop_map(|worker| Intrude { worker }),
    ]
}

fn some() -> impl Strategy<Value = usize> {
    0..12_usize
}

fn worker() -> impl Strategy<Value = usize> {
    0..crate::world::WORKERS
}
