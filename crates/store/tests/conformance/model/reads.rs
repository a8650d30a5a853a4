//! Every read of the file, compared with the reference's.

use std::collections::BTreeMap;

use taskfleet_core::{TaskId, Timestamp, failure::FailureKind, queue::LaneRead, task::TaskState};
use taskfleet_store::{OutcomeFilter, Store, TaskFilter};

use crate::listing::all;

pub(super) async fn compare(
    reference: &dyn Store,
    file: &dyn Store,
    tasks: &[TaskId],
    now: Timestamp,
) {
    Pair { reference, file, tasks, now }.compare().await;
}

struct Pair<'a> {
    reference: &'a dyn Store,
    file: &'a dyn Store,
    tasks: &'a [TaskId],
    now: Timestamp,
}

impl Pair<'_> {
    async fn compare(&self) {
        let (reference, file) = (self.reference, self.file);
        for id in self.tasks {
            for max in [2, usize::MAX] {
                assert_eq!(file.task(*id, max).await, reference.task(*id, max).await);
            }
        }
        let specs = reference.specs(self.tasks.to_vec()).await.unwrap();
        assert!(file.specs(self.tasks.to_vec()).await.unwrap() == specs);
        assert_eq!(file.running().await, reference.running().await);
        assert_eq!(file.oldest_queued().await, reference.oldest_queued().await);
        for limit in [2, 99] {
            self.compare_lanes(limit).await;
            let overdue = reference.overdue(self.now, limit).await;
            assert_eq!(file.overdue(self.now, limit).await, overdue);
            self.compare_outcomes(limit).await;
            for after in 0..3 {
                let ended = reference.ended_by(self.now, after, limit).await;
                assert_eq!(file.ended_by(self.now, after, limit).await, ended);
            }
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
            let expected = all(self.reference, &filter, limit).await;
            assert_eq!(all(self.file, &filter, limit).await, expected);
        }
    }

    async fn compare_lanes(&self, limit: usize) {
        let (reference, file) = (self.reference, self.file);
        let lanes = reference.lanes(None, limit).await.unwrap();
        assert_eq!(file.lanes(None, limit).await.unwrap(), lanes);
        let earlier = Timestamp::from_unix_millis(self.now.unix_millis() - 10_000);
        let mut reads = Vec::new();
        for lane in lanes {
            let next = reference.lanes(Some(lane.clone()), limit).await;
            assert_eq!(file.lanes(Some(lane.clone()), limit).await, next);
            let all = LaneRead { lane, from: None, limit, due_after: None, due_limit: limit };
            let known = self.tasks.get(3).copied();
            let due_after = known.map(|task| (earlier, task));
            reads.extend([all.clone(), LaneRead { from: known, due_after, ..all }]);
        }
        let rows = reference.ready(reads.clone(), self.now).await;
        assert_eq!(file.ready(reads, self.now).await, rows);
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
                let page = self.reference.outcomes(filter.clone(), after, limit, 2).await;
                let found = self.file.outcomes(filter.clone(), after, limit, 2).await;
                assert_eq!(found, page);
            }
        }
    }
}
