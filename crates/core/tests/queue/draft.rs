//! Generated tasks and workers: few values of each property, so that they meet.

use proptest::{option, prelude::*, sample::select};
use taskfleet_core::{
    BootId, TaskId, Timestamp,
    demand::Features,
    placement::{Candidate, Profile, Seat},
    task::{Content, Counters, TaskRecord, TaskSpec, Work},
};

pub(crate) const SMALL: u64 = 10_000;
pub(crate) const LARGE: u64 = 3 << 20;

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + seconds * 1_000)
}

pub(crate) fn plain(n: u32, tenant: &str) -> TaskRecord {
    let mut random = [0; 10];
    random[2..6].copy_from_slice(&n.to_be_bytes());
    let work = Work::Content(Content { text: "hi".into(), ..Content::default() });
    let spec = TaskSpec { tenant: tenant.into(), ..TaskSpec::new(work) };
    spec.record(TaskId::new(at(0), random), at(0))
}

#[derive(Debug, Clone)]
pub(crate) struct Draft {
    priority: i32,
    tenant: &'static str,
    model: Option<&'static str>,
    needs: Features,
    size_bytes: u64,
    alone: bool,
}

impl Draft {
    pub(crate) fn record(&self, n: u32) -> TaskRecord {
        TaskRecord {
            priority: self.priority,
            model: self.model.map(str::to_owned),
            needs: self.needs,
            size_bytes: self.size_bytes,
            counters: Counters { losses: if self.alone { 2 } else { 0 }, ..Counters::default() },
            ..plain(n, self.tenant)
        }
    }
}

pub(crate) fn draft() -> impl Strategy<Value = Draft> {
    let names = (select(vec!["", "a", "b"]), option::of(select(vec!["m", "n"])));
    let needs = select(vec![Features::NONE, Features::NONE, Features::REQUESTS]);
    let size = select(vec![1, 1, 1, SMALL - 511, SMALL, LARGE, LARGE + 1]);
    let rest = (select(vec![0, 0, 0, 7]), needs, size, prop::bool::weighted(0.1));
    (names, rest).prop_map(|((tenant, model), (priority, needs, size_bytes, alone))| Draft {
        priority,
        tenant,
        model,
        needs,
        size_bytes,
        alone,
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) profile: Profile,
    pub(crate) slots: u32,
    pub(crate) in_use: u32,
}

pub(crate) fn worker() -> impl Strategy<Value = Worker> {
    let models = select(vec![vec![], vec![], vec!["m"], vec!["m", "n"]]);
    let features = select(vec![Features::NONE, Features::ALL]);
    let size = select(vec![SMALL, LARGE, LARGE + 10_000]);
    (models, features, size, 1..5_u32, 0..3_u32).prop_map(
        |(models, features, max_request_bytes, slots, in_use)| {
            let models = models.into_iter().map(str::to_owned).collect();
            let profile = Profile { models, features, max_request_bytes };
            Worker { profile, slots, in_use }
        },
    )
}

/// The profiles that there are, and each worker's seat.
pub(crate) fn seats(workers: &[Worker]) -> (Vec<Profile>, Vec<Seat>) {
    let mut profiles: Vec<Profile> = workers.iter().map(|worker| worker.profile.clone()).collect();
    profiles.sort();
    profiles.dedup();
    let seat = |(n, worker): (usize, &Worker)| Seat {
        boot_id: BootId::from_bytes([u8::try_from(n).unwrap(); 16]),
        profile: profiles.binary_search(&worker.profile).unwrap(),
        slots: worker.slots,
        in_use: worker.in_use,
        taken_alone: false,
    };
    let seats = workers.iter().enumerate().map(seat).collect();
    (profiles, seats)
}

pub(crate) fn fits(profile: &Profile, record: &TaskRecord) -> bool {
    let task = Candidate::of(record);
    profile.suits(task.model, task.needs) && task.size_bytes <= profile.max_request_bytes
}
