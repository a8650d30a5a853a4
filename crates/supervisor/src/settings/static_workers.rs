//! Workers that are listed rather than registered: `host:port`, or `host:port*slots`.

use http::uri::Authority;
use serde::{Deserialize, Deserializer, de::Error};
use taskfleet_core::limits;

/// A worker that is dialled for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticWorker {
    /// host:port.
    pub address: String,
    /// Executions at once, 1 to 10,000.
    pub slots: u32,
}

/// Why an entry is no static worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEntry {
    /// What stands before the `*` leads nowhere.
    #[error("must be host:port, or host:port*slots")]
    Address,
    /// What stands after the `*` is no number of slots.
    #[error("must have from 1 to {} slots after the *", limits::MAX_SLOTS)]
    Slots,
    /// Its address was listed before.
    #[error("lists an address twice")]
    Twice,
}

impl StaticWorker {
    fn read(entry: &str) -> Result<Self, InvalidEntry> {
        let (address, slots) = entry.split_once('*').unwrap_or((entry, "1"));
        let (address, slots) = (address.trim(), slots.trim());
        let parts: Authority = address.parse().map_err(|_| InvalidEntry::Address)?;
        let port = parts.port_u16().filter(|port| *port > 0);
        if parts.host().is_empty() || port.is_none() || address.contains('@') {
            return Err(InvalidEntry::Address);
        }
        let slots = slots.parse().ok().filter(|slots| (1..=limits::MAX_SLOTS).contains(slots));
        Ok(Self { address: address.to_owned(), slots: slots.ok_or(InvalidEntry::Slots)? })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Several(Vec<String>),
    Joined(String),
}

/// A list, or one text with commas: a variable has no lists.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<StaticWorker>, D::Error> {
    let entries = match List::deserialize(input)? {
        List::Several(entries) => entries,
        List::Joined(text) => text.split(',').map(str::to_owned).collect(),
    };
    let mut workers: Vec<StaticWorker> = Vec::new();
    for entry in entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()) {
        let named = |error| D::Error::custom(format!("static_workers: \"{entry}\" {error}"));
        let worker = StaticWorker::read(entry).map_err(named)?;
        if workers.iter().any(|known| known.address == worker.address) {
            return Err(named(InvalidEntry::Twice));
        }
        workers.push(worker);
    }
    Ok(workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Own {
        #[serde(deserialize_with = "read")]
        static_workers: Vec<StaticWorker>,
    }

    fn listed(json: &str) -> Result<Vec<String>, String> {
        let own: Result<Own, _> = serde_json::from_str(&format!(r#"{{"static_workers": {json}}}"#));
        let own = own.map_err(|error| error.to_string())?;
        let text = |worker: &StaticWorker| format!("{}*{}", worker.address, worker.slots);
        Ok(own.static_workers.iter().map(text).collect())
    }

    #[test]
    fn static_workers_are_a_list_or_a_text_with_commas_and_have_one_slot_unless_they_say_more() {
        let both = ["a:1*1".to_owned(), "[::1]:50052*4".to_owned()];
        assert_eq!(listed(r#"["a:1", "[::1]:50052*4"]"#).unwrap(), both);
        assert_eq!(listed(r#"" a:1 , [::1]:50052 * 4,""#).unwrap(), both);
        assert!(listed(r#""""#).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_entry_is_named_with_what_would_be_right() {
        for (entry, right) in [
            ("nowhere", "host:port"),
            ("http://a:1", "host:port"),
            ("a:0", "host:port"),
            ("a:70000", "host:port"),
            ("::1:50052", "host:port"),
            ("me@a:1", "host:port"),
            ("a:1*0", "1 to 10000 slots"),
            ("a:1*many", "1 to 10000 slots"),
            ("a:1*10001", "1 to 10000 slots"),
        ] {
            let error = listed(&format!(r#"["b:2", "{entry}"]"#)).unwrap_err();
            assert!(error.contains(&format!("\"{entry}\"")) && error.contains(right), "{error}");
        }
        assert!(listed(r#""a:1,a:1*2""#).unwrap_err().contains("twice"));
    }
}
