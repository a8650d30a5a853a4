//! What may happen next. Tasks are named by the order in which they were accepted and leases by
//! what they are to their task, so that a sequence still means something with steps left out.

use std::{fmt, time::Duration};

use proptest::{collection::vec, prelude::*, sample::select};
use taskfleet_core::{Lease, failure::FailureKind, task::TaskState};

use super::{
    draft::{Draft, draft},
    fleet::Fleet,
    task::{Task, What},
};

/// Enough to meet in one lane, few enough for much to happen to each.
const MAX_TASKS: usize = 6;

#[derive(Clone)]
pub(super) enum Transition {
    /// All in one call.
    Submit(Vec<Draft>),
    /// An ended task once more.
    Retry(usize),
    /// All in one call.
    Happen(Vec<Happening>),
    /// Claimed, and given up in this way, so many times: how limits are reached.
    Again {
        task: usize,
        times: u32,
        what: What,
    },
    Wait(Duration),
    /// The supervisor dies and the next one opens the store.
    Restart,
    /// What ended so long ago is taken out.
    Prune(Duration),
}

#[derive(Clone, Copy)]
pub(super) struct Happening {
    pub(super) task: usize,
    pub(super) what: What,
    pub(super) of: Of,
}

/// Of which lease something is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Last,
    Earlier,
    /// One that this store never gave out.
    Above(u64),
}

impl Of {
    pub(super) fn lease(self, task: &Task) -> Lease {
        match self {
            Self::Last => task.lease(),
            Self::Earlier => task.leases.iter().rev().nth(1).copied().unwrap_or_default(),
            Self::Above(by) => Lease::new(task.lease().number() + by),
        }
    }
}

/// What may happen to this fleet.
pub(super) fn transitions(fleet: &Fleet) -> BoxedStrategy<Transition> {
    let tasks = fleet.tasks.len();
    let submit = vec(draft(), 1..=2).prop_map(Transition::Submit);
    if tasks == 0 {
        return submit.boxed();
    }
    let submit_weight = if fleet.kept().count() < MAX_TASKS { 6 } else { 1 };
    prop_oneof![
        submit_weight => submit,
        1 => (0..tasks).prop_map(Transition::Retry),
        30 => vec(happening(tasks), 1..=3).prop_map(Transition::Happen),
        2 => again(tasks),
        3 => (1..30_u64).prop_map(|seconds| Transition::Wait(Duration::from_secs(seconds))),
        2 => Just(Transition::Restart),
        2 => prop_oneof![Just(0), 1..40_u64].prop_map(|seconds| Transition::Prune(Duration::from_secs(seconds))),
    ]
    .boxed()
}

fn happening(tasks: usize) -> impl Strategy<Value = Happening> {
    let of = prop_oneof![8 => Just(Of::Last), 2 => Just(Of::Earlier), 1 => (1..3_u64).prop_map(Of::Above)];
    (0..tasks, what(), of).prop_map(|(task, what, of)| Happening { task, what, of })
}

fn what() -> impl Strategy<Value = What> {
    use What::{
        Abort, Adopt, Cancel, CancelIf, Claim, Complete, CutOff, Expire, Fail, FailForGood,
        FailUnsent, Lose, NotStart, Release, TooLarge,
    };
    prop_oneof![
        8 => Just(Claim),
        3 => Just(Complete),
        3 => select(&FailureKind::ALL[..]).prop_map(Fail),
        1 => select(vec![FailForGood, FailUnsent, Abort]),
        6 => select(vec![Release, Lose, NotStart, CutOff, Adopt]),
        1 => select(vec![
            Cancel,
            CancelIf(TaskState::Queued),
            CancelIf(TaskState::Running),
            Expire,
            TooLarge,
        ]),
    ]
}

fn again(tasks: usize) -> impl Strategy<Value = Transition> {
    let what = prop_oneof![
        (2..=4_u32, Just(What::Lose)),
        (15..=20_u32, select(vec![What::Release, What::NotStart, What::CutOff])),
    ];
    (0..tasks, what).prop_map(|(task, (times, what))| Transition::Again { task, times, what })
}

impl Transition {
    /// Whether it can be said of this fleet: with a submission left out, later ones may not.
    pub(super) fn makes_sense(&self, fleet: &Fleet) -> bool {
        let is_there = |task: usize| task < fleet.tasks.len();
        match self {
            Self::Happen(all) => all.iter().all(|happening| is_there(happening.task)),
            Self::Again { task, .. } => is_there(*task),
            Self::Retry(task) => {
                fleet.tasks.get(*task).is_some_and(|task| task.state.is_terminal() && !task.pruned)
            }
            Self::Submit(_) | Self::Wait(_) | Self::Restart | Self::Prune(_) => true,
        }
    }
}

/// On one line: a failure prints the whole sequence.
impl fmt::Debug for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(drafts) => {
                f.write_str("submit")?;
                drafts.iter().try_for_each(|draft| write!(f, " ({draft:?})"))
            }
            Self::Retry(task) => write!(f, "retry task {task}"),
            Self::Happen(all) => {
                let all = all.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>();
                f.write_str(&all.join("; "))
            }
            Self::Again { task, times, what } => {
                write!(f, "task {task}: {times} times: Claim, {what:?}")
            }
            Self::Wait(duration) => write!(f, "wait {duration:?}"),
            Self::Restart => f.write_str("restart"),
            Self::Prune(age) => write!(f, "prune what ended {age:?} ago"),
        }
    }
}

impl fmt::Debug for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, what, of } = self;
        write!(f, "task {task}: {what:?}")?;
        if what.is_of_a_lease() { write!(f, " of {of:?}") } else { Ok(()) }
    }
}
