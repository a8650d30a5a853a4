//! Which calls came, which are open, and how each was answered.

mod book;
mod report;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use book::Book;
pub(crate) use report::Report;

/// Counts calls under one lock, which is held for a few map operations a call (a report copies
/// under it, so poll one task rather than all).
///
/// A task costs about 300 bytes until the next reset.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Book>);

impl Ledger {
    /// Books a call that has just been received. `request` is the client's `task.lease`.
    pub(crate) fn begin(self: &Arc<Self>, request: Option<&str>) -> Call {
        let (task, lease) = request.map_or((NOBODY, ""), split);
        let mut book = self.book();
        let (nth, entry) = book.begin(task, lease);
        let epoch = book.epoch();
        drop(book);
        Call { ledger: Arc::clone(self), epoch, entry, nth: request.map(|_| nth), ended: false }
    }

    /// The number (from 1) of this call among those for the same prompt, for calls that name no
    /// task.
    pub(crate) fn nth_of_prompt(&self, digest: String) -> u32 {
        self.book().nth_of_prompt(digest)
    }

    /// Every call since the last reset.
    pub(crate) fn report(&self) -> Report {
        self.book().report()
    }

    /// The calls of one task.
    pub(crate) fn report_task(&self, task: &str) -> Report {
        self.book().report_task(task)
    }

    /// Forgets everything; calls that are open now are not counted any more.
    pub(crate) fn reset(&self) {
        self.book().reset();
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // The book is plain counters: what a panic left behind is still usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of calls without the header.
const NOBODY: &str = "-";

/// The lease is after the last dot; without one, everything is the task.
fn split(request: &str) -> (&str, &str) {
    request.rsplit_once('.').unwrap_or((request, ""))
}

/// An open call. Dropped before [`Call::end`], its client went away early.
#[derive(Debug)]
pub(crate) struct Call {
    ledger: Arc<Ledger>,
    epoch: u64,
    entry: usize,
    nth: Option<u32>,
    ended: bool,
}

impl Call {
    /// The number (from 1) of this call among those of its task; `None` when it names no task.
    pub(crate) fn nth(&self) -> Option<u32> {
        self.nth
    }

    /// Notes what the client is going to get.
    pub(crate) fn outcome(&self, outcome: &'static str) {
        self.ledger.book().outcome(self.epoch, self.entry, outcome);
    }

    /// The simulator did all it meant to do.
    pub(crate) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.ledger.book().end(self.epoch, self.entry, self.ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_open_until_it_ends() {
        let ledger = Arc::new(Ledger::default());
        let call = ledger.begin(Some("t.1"));
        call.outcome("200");
        assert_eq!(ledger.report().open, 1);
        call.end();
        let report = ledger.report();
        assert_eq!((report.total, report.open, report.closed_early), (1, 0, 0));
        assert_eq!(report.calls["t.1"].outcomes, ["200"]);
    }

    #[test]
    fn a_dropped_call_was_closed_early() {
        let ledger = Arc::new(Ledger::default());
        drop(ledger.begin(Some("t.1")));
        let report = ledger.report_task("t");
        assert_eq!((report.total, report.open, report.closed_early), (1, 0, 1));
        assert_eq!(report.calls["t.1"].closed_early, 1);
    }

    #[test]
    fn calls_are_numbered_by_task_and_booked_by_lease() {
        let ledger = Arc::new(Ledger::default());
        let nth: Vec<_> =
            ["t.1", "t.2", "u.1", "t.2"].map(|request| ledger.begin(Some(request)).nth()).into();
        assert_eq!(nth, [Some(1), Some(2), Some(1), Some(3)]);
        assert_eq!(ledger.report().calls["t.2"].count, 2);
        assert_eq!(ledger.report_task("u").total, 1);
    }

    #[test]
    fn a_call_without_a_name_is_numbered_by_its_prompt() {
        let ledger = Arc::new(Ledger::default());
        assert_eq!(ledger.begin(None).nth(), None);
        assert_eq!(ledger.report().calls["-"].count, 1);
        let nth = ["a", "b", "a"].map(|digest| ledger.nth_of_prompt(digest.to_owned()));
        assert_eq!(nth, [1, 1, 2]);
    }

    #[test]
    fn a_call_from_before_a_reset_leaves_no_trace() {
        let ledger = Arc::new(Ledger::default());
        let old = ledger.begin(Some("t.1"));
        ledger.reset();
        let new = ledger.begin(Some("t.1"));
        old.outcome("500");
        drop(old);
        let report = ledger.report();
        assert_eq!((report.total, report.open, report.closed_early), (1, 1, 0));
        assert_eq!((new.nth(), report.calls["t.1"].outcomes.len()), (Some(1), 0));
    }
}
