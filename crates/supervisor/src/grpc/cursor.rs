//! Cursors: where a watcher goes on. Opaque to clients; ours say what they are.

use taskfleet_core::{Lease, TaskId, task::TaskRecord};
use taskfleet_proto::FieldError;

/// What a watcher of one task has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// The lease whose text it follows.
    pub(super) lease: Lease,
    /// How much of that text it has, in bytes.
    pub(super) offset: usize,
    /// Which state of the task it knows.
    pub(super) change: Option<Change>,
}

/// Tells two states of a task apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    state: u8,
    lease: Lease,
    /// Sum of the counters: rises with each return to the queue.
    returns: u32,
}

impl Change {
    pub(super) fn of(record: &TaskRecord) -> Self {
        let returns = record.counters.returns();
        Self { state: record.state as u8, lease: record.lease, returns }
    }
}

impl Seen {
    pub(super) fn to_cursor(self) -> String {
        let change = self.change.map_or_else(
            || "-".to_owned(),
            |change| format!("{:x}.{:x}.{:x}", change.state, change.lease.number(), change.returns),
        );
        format!("t1:{:x}:{:x}:{change}", self.lease.number(), self.offset)
    }

    pub(super) fn from_cursor(cursor: &str) -> Result<Self, FieldError> {
        if cursor.is_empty() {
            return Ok(Self::default());
        }
        parse_seen(cursor).ok_or_else(not_ours)
    }
}

fn parse_seen(cursor: &str) -> Option<Seen> {
    let mut parts = cursor.strip_prefix("t1:")?.split(':');
    let lease = Lease::new(hex(parts.next()?)?);
    let offset = usize::try_from(hex(parts.next()?)?).ok()?;
    let change = match parts.next()? {
        "-" => None,
        change => Some(parse_change(change)?),
    };
    parts.next().is_none().then_some(Seen { lease, offset, change })
}

fn parse_change(text: &str) -> Option<Change> {
    let mut parts = text.split('.');
    let change = Change {
        state: u8::try_from(hex(parts.next()?)?).ok()?,
        lease: Lease::new(hex(parts.next()?)?),
        returns: u32::try_from(hex(parts.next()?)?).ok()?,
    };
    parts.next().is_none().then_some(change)
}

/// The cursor of the outcome feed after outcome `number`.
pub(super) fn outcome_cursor(number: u64) -> String {
    format!("o1:{number:x}")
}

/// The number in a cursor of the outcome feed; `None` for an empty one.
pub(super) fn read_outcome_cursor(cursor: &str) -> Result<Option<u64>, FieldError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    cursor.strip_prefix("o1:").and_then(hex).map(Some).ok_or_else(not_ours)
}

/// The page of a list after this task; `filter` is a digest of what was asked for.
pub(super) fn page_token(last: TaskId, filter: &[u8; 32]) -> String {
    format!("p1:{}:{:016x}", last, short(filter))
}

/// The task after which the page begins; `None` for an empty token.
pub(super) fn read_page_token(
    token: &str,
    filter: &[u8; 32],
) -> Result<Option<TaskId>, FieldError> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = || token.strip_prefix("p1:")?.split_once(':');
    let known = parts().and_then(|(id, digest)| Some((id.parse().ok()?, hex(digest)?)));
    match known {
        None => Err(FieldError::new("page_token", "is not one of ours: give next_page_token")),
        Some((_, digest)) if digest != short(filter) => Err(FieldError::new(
            "page_token",
            "belongs to a list with another filter: begin again without one",
        )),
        Some((last, _)) => Ok(Some(last)),
    }
}

/// Enough of a digest to tell two filters apart.
fn short(digest: &[u8; 32]) -> u64 {
    let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*first)
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

fn not_ours() -> FieldError {
    FieldError::new("cursor", "is not one of this feed: give one from its events, or none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_lead_back_and_foreign_ones_are_refused() {
        let change = Change { state: 1, lease: Lease::new(9), returns: 2 };
        for seen in
            [Seen::default(), Seen { lease: Lease::new(77), offset: 12, change: Some(change) }]
        {
            assert_eq!(Seen::from_cursor(&seen.to_cursor()), Ok(seen));
        }
        assert_eq!(read_outcome_cursor(&outcome_cursor(31)), Ok(Some(31)));
        for foreign in ["t1:", "o1:7", "t1:1:2:3", "t2:1:2:-", "t1:1:2:-:4", "x"] {
            assert!(Seen::from_cursor(foreign).is_err(), "{foreign}");
        }
    }
}
