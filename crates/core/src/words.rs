//! Words of others, made fit to be passed on: keys go.

/// How keys begin, also those that a provider shows in part.
const KEY_PREFIX: &str = "sk-";
const INSTEAD: &str = "[key]";

/// The message without `key` and whatever else looks like one.
#[must_use]
pub fn without_keys(message: &str, key: Option<&str>) -> String {
    let message = match key {
        Some(key) if !key.is_empty() => message.replace(key, INSTEAD),
        _ => message.to_owned(),
    };
    without_look_alikes(&message)
}

fn without_look_alikes(message: &str) -> String {
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
        assert_eq!(without_keys(said, None), clean_said);
        assert_eq!(without_keys("bad token hunter2 here", Some("hunter2")), "bad token [key] here");
        assert_eq!(without_keys("nothing", Some("")), "nothing");
        assert_eq!(without_keys("sk-", None), "[key]");
    }
}
