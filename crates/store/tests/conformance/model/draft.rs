//! What is submitted: few values of each, so that they meet.

use std::time::Duration;

use proptest::{option, prelude::*};
use taskfleet_core::{
    TaskId,
    retry::RetryPolicy,
    task::{Content, TaskSpec, Work},
};

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Draft {
    pub(super) key: Option<u8>,
    pub(super) digest: u8,
    pub(super) client_ref: Option<u8>,
    pub(super) tenant: u8,
    label: Option<u8>,
    priority: i32,
    pub(super) attempts: u32,
    pub(super) deadline: Duration,
    /// A worker with a free slot takes it at once.
    pub(super) claimed: bool,
    pub(super) retry_of: Option<TaskId>,
}

pub(super) fn draft() -> impl Strategy<Value = Draft> {
    let names = (option::weighted(0.4, 0..2_u8), 0..2_u8, option::weighted(0.1, 0..3_u8), 0..2_u8);
    let seconds = prop_oneof![1 => 1..200_u64, 2 => Just(86_400)];
    let rest = (option::of(0..2_u8), -1..=1_i32, 1..=3_u32, seconds, any::<bool>());
    (names, rest).prop_map(|((key, digest, client_ref, tenant), rest)| {
        let (label, priority, attempts, seconds, claimed) = rest;
        let deadline = Duration::from_secs(seconds);
        let retry_of = None;
        Draft {
            key,
            digest,
            client_ref,
            tenant,
            label,
            priority,
            attempts,
            deadline,
            claimed,
            retry_of,
        }
    })
}

impl Draft {
    /// The same once more, as RetryTask asks for it: a new task that names the ended one.
    pub(super) const fn again(self, ended: TaskId) -> Self {
        Self { key: None, client_ref: None, claimed: false, retry_of: Some(ended), ..self }
    }

    pub(super) fn spec(self) -> TaskSpec {
        let name = |name: u8| format!("name {name}");
        let work = Work::Content(Content { text: "text".to_owned(), ..Content::default() });
        let label = self.label.map(|value| ("label".to_owned(), name(value)));
        TaskSpec {
            idempotency_key: self.key.map(name),
            client_ref: self.client_ref.map(name),
            tenant: name(self.tenant),
            labels: label.into_iter().collect(),
            priority: self.priority,
            deadline: self.deadline,
            retry: RetryPolicy { max_attempts: self.attempts, ..RetryPolicy::default() },
            retry_of: self.retry_of,
            ..TaskSpec::new(work)
        }
    }
}

/// On one line, without what is as usual: a failure prints it.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tenant, attempts, deadline, .. } = self;
        write!(f, "{attempts} attempts in {deadline:?}, tenant {tenant}")?;
        if let Some(key) = self.key {
            write!(f, ", key {key} digest {}", self.digest)?;
        }
        for (name, value) in [("ref", self.client_ref), ("label", self.label)] {
            value.map_or(Ok(()), |value| write!(f, ", {name} {value}"))?;
        }
        if self.priority != 0 {
            write!(f, ", priority {}", self.priority)?;
        }
        f.write_str(if self.claimed { ", claimed" } else { "" })
    }
}
