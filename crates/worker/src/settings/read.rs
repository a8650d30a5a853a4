//! Values that stand otherwise in a file or variable than in the program.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// A number of seconds, whole or not.
pub(super) fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(input)?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| D::Error::custom("must be a number of seconds, 0 or more"))
}

/// The same, or nothing.
pub(super) fn maybe_seconds<'de, D>(input: D) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    seconds(input).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Several(Vec<String>),
    Joined(String),
}

/// A list, or one text with commas: a variable has no lists.
pub(super) fn list<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let items = match List::deserialize(input)? {
        List::Several(items) => items,
        List::Joined(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    Ok(items.into_iter().filter(|item| !item.is_empty()).collect())
}

/// Whether it is host:port.
pub(super) fn is_authority(text: &str) -> bool {
    let authority: Option<http::uri::Authority> = text.parse().ok();
    authority.is_some_and(|parts| !parts.host().is_empty() && parts.port_u16().is_some())
}
