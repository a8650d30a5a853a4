//! Where a page of outcomes ends.

use taskfleet_core::outcome::Payload;

use crate::types::{OutcomePage, TaskDetail};

/// Bytes of results after which a page ends: as long as its reader does not read on, so much of
/// memory is his.
const FULL: usize = 1 << 20;

impl OutcomePage {
    /// The first `limit` of `outcomes`, or fewer when their results fill the page. A page that
    /// was cut was looked at up to its last outcome; any other up to the latest one there is.
    pub(crate) fn cut<E>(
        outcomes: impl Iterator<Item = Result<(u64, TaskDetail), E>>,
        after: u64,
        limit: usize,
        latest: u64,
    ) -> Result<Self, E> {
        let mut page = Self { outcomes: Vec::new(), seen: latest.max(after) };
        let mut bytes = 0;
        for outcome in outcomes.take(limit) {
            let (number, detail) = outcome?;
            bytes += size(&detail);
            page.outcomes.push((number, detail));
            if page.outcomes.len() == limit || bytes >= FULL {
                page.seen = number;
                return Ok(page);
            }
        }
        if limit == 0 {
            page.seen = after;
        }
        Ok(page)
    }
}

fn size(detail: &TaskDetail) -> usize {
    let payload = detail.result.as_ref().and_then(|result| result.payload.as_ref());
    match payload {
        Some(Payload::Text(text)) => text.len(),
        Some(Payload::Body(body)) => body.len(),
        None => 0,
    }
}
