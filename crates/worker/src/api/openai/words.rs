//! A provider's words, made fit to be passed on.

/// Longer messages are cut: they go into rows, logs and lists.
const MAX_CHARS: usize = 500;
/// How keys begin, also those that a provider shows in part.
const KEY_PREFIX: &str = "sk-";
const INSTEAD: &str = "[key]";

/// The message without the key that was spent and whatever else looks like one, on one line,
/// at most 500 characters.
pub(super) fn clean(message: &str, key: Option<&str>) -> String {
    let message = match key {
        Some(key) if !key.is_empty() => message.replace(key, INSTEAD),
        _ => message.to_owned(),
    };
    let line = without_keys(&message).replace(char::is_control, " ");
    line.trim().chars().take(MAX_CHARS).collect()
}

fn without_keys(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(KEY_PREFIX) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_key_char(c)).unwrap_or(from.len());
        clean.push_str(before);
        // "task-force" contains the prefix and is no key.
        let inside_a_word = before.ends_with(|c: char| c.is_alphanumeric());
        clean.push_str(if inside_a_word { &from[..end] } else { INSTEAD });
        rest = &from[end..];
    }
    clean + rest
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_*.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_and_words_stay() {
        let said = "Incorrect API key provided: sk-proj-ab_c*****xyz. You can find it, task-force!";
        let clean_said = "Incorrect API key provided: [key] You can find it, task-force!";
        assert_eq!(clean(said, None), clean_said);
        assert_eq!(clean("bad token hunter2 here", Some("hunter2")), "bad token [key] here");
        assert_eq!(clean("nothing", Some("")), "nothing");
        assert_eq!(clean("sk-", None), "[key]");
    }

    #[test]
    fn long_messages_are_cut_between_characters_and_lines_joined() {
        assert_eq!(clean(&"ü".repeat(600), None).chars().count(), 500);
        assert_eq!(clean("a\nb\r", None), "a b");
    }
}
