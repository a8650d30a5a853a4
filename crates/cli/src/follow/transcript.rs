//! What has been read of a task's text, so that nothing is told twice.

use std::borrow::Cow;

use taskfleet_core::text::{Gap, TextLog};
use taskfleet_proto::v1::{Task, TaskResult, TextDelta, TextSnapshot};

/// The text read so far, and the execution that wrote it.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    lease: u64,
    log: TextLog,
}

/// What is new to a reader.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// What was read before is void.
    pub(super) started_again: bool,
    /// The text after what was read before.
    pub(super) text: String,
}

impl Transcript {
    /// Takes the next piece.
    ///
    /// # Errors
    /// When text before it is missing; a snapshot is needed.
    pub(super) fn delta(&mut self, delta: &TextDelta) -> Result<Change, Gap> {
        let offset = usize::try_from(delta.offset).map_err(|_| Gap)?;
        if delta.lease != self.lease && offset > 0 {
            return Err(Gap);
        }
        let started_again = self.begin(delta.lease);
        let known = self.log.len();
        self.log.push_at(offset, &delta.text)?;
        let text = self.log.as_str().get(known..).unwrap_or_default().to_owned();
        Ok(Change { started_again, text })
    }

    /// Takes the whole text so far.
    pub(super) fn snapshot(&mut self, snapshot: &TextSnapshot) -> Change {
        let started_again = self.begin(snapshot.lease);
        self.become_text(&snapshot.text, started_again)
    }

    /// Takes the final text. A task that failed has none, and what was read of it stands.
    pub(super) fn ended(&mut self, task: &Task) -> Change {
        match &task.result {
            Some(result) => self.become_text(&result_text(result), false),
            None => Change::default(),
        }
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    /// Forgets the text of another lease; whether there was any.
    fn begin(&mut self, lease: u64) -> bool {
        if lease == self.lease {
            return false;
        }
        self.lease = lease;
        !std::mem::take(&mut self.log).is_empty()
    }

    fn become_text(&mut self, text: &str, started_again: bool) -> Change {
        let known = self.log.as_str();
        if known.starts_with(text) {
            return Change { started_again, text: String::new() };
        }
        let (started_again, new) = match text.strip_prefix(known) {
            Some(rest) => (started_again, rest),
            None => (true, text),
        };
        let change = Change { started_again, text: new.to_owned() };
        self.log = TextLog::default();
        self.log.push(text);
        change
    }
}

/// The text of a content task, or the body of a request.
pub(crate) fn result_text(result: &TaskResult) -> Cow<'_, str> {
    if result.body.is_empty() {
        Cow::Borrowed(&result.text)
    } else {
        String::from_utf8_lossy(&result.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(lease: u64, offset: u64, text: &str) -> TextDelta {
        TextDelta { lease, offset, text: text.into() }
    }

    fn snapshot(lease: u64, text: &str) -> TextSnapshot {
        TextSnapshot { lease, text: text.into() }
    }

    fn change(started_again: bool, text: &str) -> Change {
        Change { started_again, text: text.into() }
    }

    fn ended(text: &str) -> Task {
        let result = TaskResult { text: text.into(), ..TaskResult::default() };
        Task { result: Some(result), ..Task::default() }
    }

    #[test]
    fn a_snapshot_after_a_break_tells_only_what_is_new() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.delta(&delta(1, 0, "grüß")), Ok(change(false, "grüß")));
        assert_eq!(transcript.snapshot(&snapshot(1, "grüß dich")), change(false, " dich"));
        assert_eq!(transcript.delta(&delta(1, 7, "dich!")), Ok(change(false, "!")));
        assert_eq!(transcript.ended(&ended("grüß dich!")), change(false, ""));
    }

    #[test]
    fn an_older_snapshot_takes_nothing_back() {
        let mut transcript = Transcript::default();
        transcript.delta(&delta(1, 0, "abc")).unwrap();
        assert_eq!(transcript.snapshot(&snapshot(1, "a")), change(false, ""));
        assert_eq!(transcript.delta(&delta(1, 1, "bcd")), Ok(change(false, "d")));
    }

    #[test]
    fn a_new_lease_starts_again_only_when_there_was_text() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.snapshot(&snapshot(1, "")), change(false, ""));
        assert_eq!(transcript.delta(&delta(2, 0, "a")), Ok(change(false, "a")));
        assert_eq!(transcript.snapshot(&snapshot(3, "")), change(true, ""));
        assert_eq!(transcript.delta(&delta(3, 0, "b")), Ok(change(false, "b")));
        assert_eq!(transcript.delta(&delta(4, 5, "c")), Err(Gap));
    }

    #[test]
    fn the_end_brings_what_was_missed() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.ended(&ended("all of it")), change(false, "all of it"));
        let mut other = Transcript::default();
        other.delta(&delta(1, 0, "another")).unwrap();
        assert_eq!(other.ended(&ended("all of it")), change(true, "all of it"));
        assert_eq!(other.ended(&ended("")), change(false, ""));
    }
}
