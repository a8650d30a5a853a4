//! A provider's words, made fit to be passed on.

use taskfleet_core::words::without_keys;

/// Longer messages are cut: they go into rows, logs and lists.
const MAX_CHARS: usize = 500;

/// The message without the key that was spent and whatever else looks like one, on one line,
/// at most 500 characters.
pub(super) fn clean(message: &str, key: Option<&str>) -> String {
    let line = without_keys(message, key).replace(char::is_control, " ");
    line.trim().chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters_and_lines_joined() {
        assert_eq!(clean(&"ü".repeat(600), None).chars().count(), 500);
        assert_eq!(clean("a\nb\r", None), "a b");
        assert_eq!(clean("bad token hunter2\n", Some("hunter2")), "bad token [key]");
    }
}
