//! A worker's words, made fit to be kept and shown.

use taskfleet_core::words::without_keys;

/// Bytes of a worker's words that are kept.
pub(super) const MAX_WORDS: usize = 4 << 10;

/// A worker's words without our key and whatever else looks like one, and not too many.
pub(super) fn clean(words: &str, key: Option<&str>) -> String {
    let mut words = without_keys(words, key);
    if words.len() > MAX_WORDS {
        words.truncate(words.floor_char_boundary(MAX_WORDS));
        words.push('…');
    }
    words
}
