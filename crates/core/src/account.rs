//! Which account a call is charged to, without showing its key.

use std::fmt::Write;

use crate::digest::Parts;

/// The account of workers that call without a key.
pub const NO_ACCOUNT: &str = "none";

/// A fingerprint of a model API's address: 12 hexadecimal digits.
#[must_use]
pub fn provider(base_url: &str) -> String {
    fingerprint(&["taskfleet provider", base_url.trim_end_matches('/')])
}

/// A fingerprint of what is charged for calls with this key at this provider, 12 hexadecimal
/// digits; [`NO_ACCOUNT`] without a key. Who holds both computes the same, in any process. It
/// says nothing of the key: 48 bits of a digest fit far too many keys.
#[must_use]
pub fn account(provider: &str, key: Option<&str>) -> String {
    match key {
        None | Some("") => NO_ACCOUNT.to_owned(),
        Some(key) => fingerprint(&["taskfleet account", provider, key]),
    }
}

/// Parts are kept apart by their lengths, so that no two lists look the same.
fn fingerprint(parts: &[&str]) -> String {
    let mut digest = Parts::default();
    parts.iter().for_each(|part| digest.add(part));
    digest.finish().iter().take(6).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_provider_and_a_key_and_shows_neither() {
        let openai = provider("https://api.openai.com/v1");
        assert_eq!(openai, provider("https://api.openai.com/v1/"));
        assert_ne!(openai, provider("http://127.0.0.1:8000/v1"));
        let one = account(&openai, Some("sk-1"));
        assert!(one.len() == 12 && one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
        assert_ne!(one, account(&openai, Some("sk-2")));
        assert_ne!(one, account(&provider("http://127.0.0.1:8000/v1"), Some("sk-1")));
        assert_eq!(account(&openai, None), "none");
    }
}
