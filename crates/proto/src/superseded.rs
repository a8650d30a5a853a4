//! How a worker tells a supervisor that a later epoch of the same store has taken it over.

use std::collections::HashMap;

use taskfleet_core::{Epoch, StoreId};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, ErrorInfo, StatusExt};

const REASON: &str = "SUPERSEDED";
const NOT_SERVED: &str = "NOT_SERVED";
const DOMAIN: &str = "taskfleet.v1";

/// The status for a caller of `store` when its epoch `by` has been here.
#[must_use]
pub fn superseded(store: StoreId, by: Epoch, message: &str) -> Status {
    let metadata = HashMap::from([
        ("store_id".to_owned(), store.to_string()),
        ("epoch".to_owned(), by.number().to_string()),
    ]);
    let details = ErrorDetails::with_error_info(REASON, DOMAIN, metadata);
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// The status for a caller whose store is not the one that is served.
#[must_use]
pub fn not_served(message: &str) -> Status {
    let details = ErrorDetails::with_error_info(NOT_SERVED, DOMAIN, HashMap::new());
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// Whether the status says that the worker serves another store.
#[must_use]
pub fn says_not_served(status: &Status) -> bool {
    let info = status.get_details_error_info();
    let is_it = |info: &ErrorInfo| (&*info.reason, &*info.domain) == (NOT_SERVED, DOMAIN);
    status.code() == Code::FailedPrecondition && info.as_ref().is_some_and(is_it)
}

/// The later epoch of `store` by which a caller is superseded, if the status says so.
#[must_use]
pub fn read_superseded(status: &Status, store: StoreId) -> Option<Epoch> {
    if status.code() != Code::FailedPrecondition {
        return None;
    }
    let info = status.get_details_error_info()?;
    let names_store = info.metadata.get("store_id") == Some(&store.to_string());
    let is_it = (info.reason.as_str(), info.domain.as_str()) == (REASON, DOMAIN) && names_store;
    let epoch = info.metadata.get("epoch").filter(|_| is_it)?;
    epoch.parse().ok().map(Epoch::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_stores_later_epoch_supersedes() {
        let [store, other] = [1, 2].map(|n| StoreId::from_bytes([n; 16]));
        let status = superseded(store, Epoch::new(7), "words");
        assert_eq!(read_superseded(&status, store), Some(Epoch::new(7)));
        assert_eq!(read_superseded(&status, other), None);
        let not_served = not_served("words");
        assert!(says_not_served(&not_served) && !says_not_served(&status));
        assert_eq!(read_superseded(&not_served, store), None);
        assert_eq!(read_superseded(&Status::failed_precondition("words"), store), None);
    }
}
