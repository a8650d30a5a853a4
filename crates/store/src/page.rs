//! Where a page of outcomes ends.

use crate::types::{OutcomePage, TaskDetail};

impl OutcomePage {
    /// A page that was cut at `limit` was looked at up to its last outcome; any other up to
    /// the latest one there is.
    pub(crate) fn new(
        outcomes: Vec<(u64, TaskDetail)>,
        after: u64,
        limit: usize,
        latest: u64,
    ) -> Self {
        let seen = match outcomes.last() {
            Some((number, _)) if outcomes.len() >= limit => *number,
            None if limit == 0 => after,
            _ => latest.max(after),
        };
        Self { outcomes, seen }
    }
}
