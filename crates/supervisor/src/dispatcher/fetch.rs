//! What claimed tasks ask for, where it is not at hand.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use taskfleet_core::{TaskId, task::TaskSpec};
use taskfleet_store::StoreError;

/// What became of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// Here it is.
    Read(Arc<TaskSpec>),
    /// Its row cannot be read, though others can.
    Unreadable,
    /// It is not there, or nothing could be read.
    Unknown,
}

/// What was fetched.
#[derive(Debug, Default)]
pub(super) struct Specs {
    read: HashMap<TaskId, Arc<TaskSpec>>,
    unreadable: HashSet<TaskId>,
}

impl Specs {
    /// What became of this task's.
    pub(super) fn take(&mut self, task: TaskId) -> Fetched {
        match self.read.remove(&task) {
            Some(spec) => Fetched::Read(spec),
            None if self.unreadable.contains(&task) => Fetched::Unreadable,
            None => Fetched::Unknown,
        }
    }

    fn keep_one(&mut self, task: TaskId, read: Result<Vec<(TaskId, TaskSpec)>, StoreError>) {
        match read {
            Ok(one) => self.keep(one),
            // It is about to stop: nothing is known of the row.
            Err(StoreError::Closed) => {}
            Err(error) => {
                tracing::error!(%task, %error, "what a task asks for cannot be read");
                self.unreadable.insert(task);
            }
        }
    }

    fn keep(&mut self, specs: Vec<(TaskId, TaskSpec)>) {
        self.read.extend(specs.into_iter().map(|(task, spec)| (task, Arc::new(spec))));
    }
}

/// Reads all at once; when that fails, one by one, lest one bad row takes the others along.
pub(super) async fn fetch<R>(read: impl Fn(Vec<TaskId>) -> R, tasks: Vec<TaskId>) -> Specs
where
    R: Future<Output = Result<Vec<(TaskId, TaskSpec)>, StoreError>>,
{
    let mut specs = Specs::default();
    if tasks.is_empty() {
        return specs;
    }
    match read(tasks.clone()).await {
        Ok(all) => specs.keep(all),
        Err(error) => {
            tracing::error!(
                %error,
                tasks = tasks.len(),
                "could not read what claimed tasks ask for, reading them one by one"
            );
            for task in tasks {
                specs.keep_one(task, read(vec![task]).await);
            }
        }
    }
    // Where nothing can be read it is the store that ails, not each row of it.
    if specs.read.is_empty() && specs.unreadable.len() > 1 {
        specs.unreadable.clear();
    }
    specs
}

#[cfg(test)]
mod tests {
    use taskfleet_core::task::{Content, Work};

    use super::*;

    fn task(n: u8) -> TaskId {
        TaskId::from_bytes([n; 16])
    }

    /// A store whose rows of these tasks cannot be read.
    async fn read(
        tasks: Vec<TaskId>,
        bad: &[TaskId],
    ) -> Result<Vec<(TaskId, TaskSpec)>, StoreError> {
        if tasks.iter().any(|task| bad.contains(task)) {
            return Err(StoreError::Failed("a row holds a value that is not known".to_owned()));
        }
        let spec = |task| (task, TaskSpec::new(Work::Content(Content::default())));
        Ok(tasks.into_iter().filter(|known| *known != task(9)).map(spec).collect())
    }

    #[tokio::test]
    async fn one_row_that_cannot_be_read_takes_no_other_along() {
        let all = [1, 2, 3, 9].map(task).to_vec();
        let bad = [task(2)];
        let mut specs = fetch(|tasks| read(tasks, &bad), all).await;
        assert!(matches!(specs.take(task(1)), Fetched::Read(_)));
        assert_eq!(specs.take(task(2)), Fetched::Unreadable);
        assert!(matches!(specs.take(task(3)), Fetched::Read(_)));
        assert_eq!(specs.take(task(9)), Fetched::Unknown);
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_read_at_all_blames_no_row() {
        let all = [1, 2].map(task);
        let mut specs = fetch(|tasks| read(tasks, &all), all.to_vec()).await;
        assert_eq!(all.map(|task| specs.take(task)), [Fetched::Unknown, Fetched::Unknown]);
    }
}
