//! Whatever happens in whatever order: the file says what the reference says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::{collection::vec, option, prelude::*};
use taskfleet_core::{
    Lease, TaskId, Timestamp,
    failure::{Delivery, FailureKind},
    machine::Event,
    outcome::{Call, End, Payload},
    queue::LaneRead,
    task::{TaskSpec, TaskState},
};
use taskfleet_store::{Change, NewTask, OutcomeFilter, TaskFilter};

use crate::harness::{
    Ground, at, change, content, ended, failed, full_call, holder, memory, sqlite,
};
use crate::listing::all;

/// Few values of each, so that they meet.
#[derive(Debug, Clone, Copy)]
struct Draft {
    key: Option<u8>,
    digest: u8,
    client_ref: Option<u8>,
    tenant: u8,
    label: Option<u8>,
    priority: i32,
    deadline: u64,
    claim: bool,
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Claim,
    Complete,
    Fail(FailureKind),
    Release,
    Abort,
    Lose,
    NotStart,
    CutOff,
    Adopt,
    Cancel,
    CancelIf(TaskState),
    Expire,
    TooLarge,
}

#[derive(Debug, Clone)]
enum Step {
    Submit(Vec<Draft>),
    /// To the nth task, under its last lease or one a little off.
    Apply(Vec<(usize, Happening, i64)>),
    Wait(u64),
    /// What has ended so long ago, in steps of so many rows.
    Prune(u64, usize),
}

fn draft() -> impl Strategy<Value = Draft> {
    let names = (option::weighted(0.3, 0..4_u8), 0..2_u8, option::weighted(0.1, 0..3_u8), 0..2_u8);
    let rest = (option::of(0..2_u8), -1..=1_i32, 1..200_u64, any::<bool>());
    (names, rest).prop_map(|(names, rest)| {
        let (key, digest, client_ref, tenant) = names;
        let (label, priority, deadline, claim) = rest;
        Draft { key, digest, client_ref, tenant, label, priority, deadline, claim }
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{
        Abort, Adopt, Cancel, CancelIf, Claim, Complete, CutOff, Expire, Fail, Lose, NotStart,
        Release, TooLarge,
    };
    let failure = proptest::sample::select(&FailureKind::ALL[..]).prop_map(Fail);
    prop_oneof![
        5 => Just(Claim),
        3 => Just(Complete),
        2 => failure,
        4 => proptest::sample::select(vec![Release, Abort, Lose, NotStart, CutOff, Adopt]),
        1 => proptest::sample::select(vec![
            Cancel,
            CancelIf(TaskState::Queued),
            CancelIf(TaskState::Running),
            Expire,
            TooLarge,
        ]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let lease = prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(1)];
    prop_oneof![
        2 => vec(draft(), 1..4).prop_map(Step::Submit),
        6 => vec((0..10_usize, happening(), lease), 1..5).prop_map(Step::Apply),
        1 => (0..40_u64).prop_map(Step::Wait),
        1 => (0..40_u64, 1..20_usize).prop_map(|(age, rows)| Step::Prune(age, rows)),
    ]
}

/// Both stores, and what was submitted to them.
struct Pair {
    reference: Ground,
    file: Ground,
    tasks: Vec<TaskId>,
    now: u64,
}

impl Pair {
    fn now(&self) -> Timestamp {
        at(self.now)
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Submit(drafts) => self.submit(drafts).await,
            Step::Apply(happenings) => self.apply(happenings).await,
            Step::Wait(seconds) => self.now += seconds,
            Step::Prune(age, rows) => self.prune(age, rows).await,
        }
        assert_eq!(self.reference.store.counts(), self.file.store.counts());
        assert_eq!(self.reference.store.totals(), self.file.store.totals());
        assert_eq!(self.reference.store.last_outcome(), self.file.store.last_outcome());
    }

    async fn submit(&mut self, drafts: Vec<Draft>) {
        let tasks = drafts.into_iter().map(|draft| self.new_task(draft)).collect::<Vec<_>>();
        self.tasks.extend(tasks.iter().map(|task| task.id));
        let expected = self.reference.store.submit(tasks.clone(), self.now()).await;
        assert_eq!(self.file.store.submit(tasks, self.now()).await, expected);
    }

    fn new_task(&self, draft: Draft) -> NewTask {
        let name = |name: u8| format!("name {name}");
        let spec = TaskSpec {
            idempotency_key: draft.key.map(name),
            client_ref: draft.client_ref.map(name),
            tenant: name(draft.tenant),
            labels: draft
                .label
                .map(|value| ("label".to_owned(), name(value)))
                .into_iter()
                .collect(),
            priority: draft.priority,
            deadline: Duration::from_secs(draft.deadline),
            ..content("text")
        };
        NewTask {
            spec: Arc::new(spec.clone()),
            digest: [draft.digest; 32],
            claim: draft.claim.then(|| holder(1)),
            ..self.reference.task(spec)
        }
    }

    async fn apply(&mut self, happenings: Vec<(usize, Happening, i64)>) {
        let mut changes = Vec::new();
        for (nth, happening, off) in happenings {
            changes.push(self.change(nth, happening, off).await);
        }
        let expected = self.reference.store.apply(changes.clone(), self.now()).await.unwrap();
        assert_eq!(self.file.store.apply(changes, self.now()).await.unwrap(), expected);
    }

    async fn prune(&self, age: u64, rows: usize) {
        let time = at(self.now.saturating_sub(age));
        let page = self.reference.store.ended_by(time, 0, 9).await.unwrap();
        assert_eq!(self.file.store.ended_by(time, 0, 9).await, Ok(page.clone()));
        let due = page.due;
        let removed = self.reference.store.remove(due.clone(), rows).await;
        assert_eq!(self.file.store.remove(due, rows).await, removed);
    }

    async fn change(&self, nth: usize, happening: Happening, off: i64) -> Change {
        let unknown = TaskId::from_bytes([9; 16]);
        let id = self.tasks.get(nth).copied().unwrap_or(unknown);
        let detail = self.reference.store.task(id, 0).await.unwrap();
        let last = detail.map_or(Lease::NONE, |detail| detail.record.lease);
        let lease = Lease::new(last.number().saturating_add_signed(off));
        change(id, self.event(happening, lease))
    }

    fn event(&self, happening: Happening, lease: Lease) -> Event {
        let epoch = self.reference.store.identity().epoch;
        let quiet = Call::new(Delivery::NotSent);
        match happening {
            Happening::Claim => Event::Claim { holder: holder(2), epoch },
            Happening::Complete => {
                ended(lease, End::Completed(Payload::Text("dönä".to_owned())), full_call(3))
            }
            Happening::Fail(kind) => failed(lease, kind, ""),
            Happening::Release => ended(lease, End::Released, quiet),
            Happening::Abort => ended(lease, End::Cancelled, full_call(4)),
            Happening::Lose => Event::Lost { lease },
            Happening::NotStart => Event::NotStarted { lease },
            Happening::CutOff => Event::CutOff { lease },
            Happening::Adopt => Event::Adopt { lease, holder: holder(3) },
            Happening::Cancel => Event::Cancel,
            Happening::CancelIf(state) => Event::CancelIf { state },
            Happening::Expire => Event::Expire,
            Happening::TooLarge => Event::TooLarge { max_request_bytes: 7 },
        }
    }

    async fn compare(&self) {
        let (reference, file) = (&self.reference.store, &self.file.store);
        for id in &self.tasks {
            for max in [2, usize::MAX] {
                assert_eq!(file.task(*id, max).await, reference.task(*id, max).await);
            }
        }
        let specs = reference.specs(self.tasks.clone()).await.unwrap();
        assert!(file.specs(self.tasks.clone()).await.unwrap() == specs);
        assert_eq!(file.running().await, reference.running().await);
        assert_eq!(file.oldest_queued().await, reference.oldest_queued().await);
        for limit in [2, 99] {
            self.compare_lanes(limit).await;
            let overdue = reference.overdue(self.now(), limit).await;
            assert_eq!(file.overdue(self.now(), limit).await, overdue);
            self.compare_outcomes(limit).await;
            self.compare_lists(limit).await;
        }
    }

    async fn compare_lists(&self, limit: usize) {
        let labels = BTreeMap::from([("label".to_owned(), "name 1".to_owned())]);
        let tenant = "name 0".to_owned();
        let filters = [
            TaskFilter::default(),
            TaskFilter { states: [TaskState::Queued].into(), ..TaskFilter::default() },
            TaskFilter { kinds: [FailureKind::WorkerLost].into(), ..TaskFilter::default() },
            TaskFilter {
                states: [TaskState::Running, TaskState::Completed].into(),
                tenant: tenant.clone(),
                ..TaskFilter::default()
            },
            TaskFilter { labels, tenant, ..TaskFilter::default() },
        ];
        for filter in filters {
            let expected = all(&self.reference, &filter, limit).await;
            assert_eq!(all(&self.file, &filter, limit).await, expected);
        }
    }

    async fn compare_lanes(&self, limit: usize) {
        let (reference, file) = (&self.reference.store, &self.file.store);
        let lanes = reference.lanes(None, limit).await.unwrap();
        assert_eq!(file.lanes(None, limit).await.unwrap(), lanes);
        let mut reads = Vec::new();
        for lane in lanes {
            let next = reference.lanes(Some(lane.clone()), limit).await;
            assert_eq!(file.lanes(Some(lane.clone()), limit).await, next);
            let all = LaneRead { lane, from: None, limit, due_after: None, due_limit: limit };
            let known = self.tasks.get(3).copied();
            let due_after = known.map(|task| (at(self.now.saturating_sub(10)), task));
            reads.extend([all.clone(), LaneRead { from: known, due_after, ..all }]);
        }
        let rows = reference.ready(reads.clone(), self.now()).await;
        assert_eq!(file.ready(reads, self.now()).await, rows);
    }

    async fn compare_outcomes(&self, limit: usize) {
        let labels = BTreeMap::from([("label".to_owned(), "name 1".to_owned())]);
        let tenant = "name 0".to_owned();
        let filters = [
            OutcomeFilter::default(),
            OutcomeFilter { tenant: tenant.clone(), ..OutcomeFilter::default() },
            OutcomeFilter { labels, tenant, ..OutcomeFilter::default() },
        ];
        for filter in filters {
            for after in 0..3 {
                let page = self.reference.store.outcomes(filter.clone(), after, limit, 2).await;
                let found = self.file.store.outcomes(filter.clone(), after, limit, 2).await;
                assert_eq!(found, page);
            }
        }
    }
}

#[test]
fn the_file_says_what_the_reference_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) };
    proptest!(config, |(steps in vec(step(), 1..30))| {
        let mut pair = Pair { reference: memory(), file: sqlite(), tasks: vec![], now: 0 };
        runtime.block_on(async {
            for step in steps {
                pair.take(step).await;
            }
            pair.compare().await;
        });
    });
}
