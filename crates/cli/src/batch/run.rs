//! What makes a submission the same one when it is made again: its group, and each task's key.

use std::{fmt, path::Path};

use taskfleet_core::digest::Parts;
use taskfleet_proto::v1::TaskSpec;

use super::input::{Input, Origin};

/// How much of a file's name its group shows, in bytes.
const SHOWN_NAME: usize = 64;

/// The group of an input: the same for the same file and the same options, also when the file
/// has grown.
pub(super) fn group(input: &Input, base: &TaskSpec) -> String {
    let mut hash = Hash::default();
    let name = match &input.origin {
        Origin::Path(path) => {
            hash.add(path.as_os_str().as_encoded_bytes());
            shown_name(path)
        }
        Origin::Content(digest) => {
            hash.add(digest);
            "stdin".to_owned()
        }
    };
    hash.add(format!("{:?}", input.format).as_bytes());
    hash.call(base);
    format!("{name}-{}", &Key(hash.short()).to_string()[..12])
}

fn shown_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    stem.chars().map(plain).take(SHOWN_NAME).collect()
}

/// A task's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// The key that is written so.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The key of a task, out of all that makes it this task and no other. What does not change
/// the call (priority, labels, times) is not in it.
pub(super) fn key(spec: &TaskSpec) -> Key {
    let mut hash = Hash::default();
    for part in [&spec.tenant, &spec.group, &spec.client_ref, &spec.content] {
        hash.add(part.as_bytes());
    }
    hash.call(spec);
    if let Some(request) = &spec.request {
        hash.add(request.endpoint.as_bytes());
        hash.add(request.body.as_bytes());
    }
    Key(hash.short())
}

/// A digest over what makes two tasks the same.
#[derive(Default)]
struct Hash(Parts);

impl Hash {
    fn add(&mut self, part: &[u8]) {
        self.0.add(part);
    }

    fn call(&mut self, spec: &TaskSpec) {
        for part in [&spec.model, &spec.instructions, &spec.parameters_json] {
            self.add(part.as_bytes());
        }
    }

    fn short(self) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0.finish()[..16]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(content: &str, model: &str) -> TaskSpec {
        TaskSpec { content: content.into(), model: model.into(), ..TaskSpec::default() }
    }

    #[test]
    fn a_key_changes_with_the_call_and_with_nothing_else() {
        let key_of = key;
        let first = spec("ab", "c");
        assert_eq!(key_of(&first), key_of(&TaskSpec { priority: 9, ..first.clone() }));
        assert_ne!(key_of(&first), key_of(&spec("a", "bc")));
        assert_ne!(key_of(&first), key_of(&TaskSpec { client_ref: "1".into(), ..first.clone() }));
        assert_ne!(key_of(&first), key_of(&TaskSpec { group: "g".into(), ..first.clone() }));
        assert_eq!(Key::parse(&key_of(&first).to_string()), Some(key_of(&first)));
        assert_eq!(Key::parse("12"), None);
    }

    #[test]
    fn a_group_shows_the_file_and_follows_the_options() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my prompts.txt");
        std::fs::write(&path, "one\n").unwrap();
        let group_of = |spec: &TaskSpec| {
            let input = Input::open(path.to_str().unwrap(), None).unwrap();
            group(&input, spec)
        };
        let first = group_of(&spec("", "m"));
        assert!(first.starts_with("my-prompts-"), "{first}");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(group_of(&spec("", "m")), first);
        assert_ne!(group_of(&spec("", "other")), first);
    }
}
