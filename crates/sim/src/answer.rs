//! The text of an answer: fixed by the prompt, made delta by delta so that ten thousand slow
//! streams hold no text.

mod words;

use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of the SHA-256 of `prompt`. Every answer starts with
/// `digest:<these digits> `, so that a test can tell whose answer it got.
pub fn digest(prompt: &str) -> String {
    format!("{:016x}", fingerprint(prompt))
}

fn fingerprint(prompt: &str) -> u64 {
    let hash = Sha256::digest(prompt.as_bytes());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// One answer; each of its deltas counts as one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answer {
    fingerprint: u64,
    /// How many deltas the whole answer has, at least one.
    deltas: u32,
    /// Bytes of filler at the end of each delta.
    padding: usize,
}

impl Answer {
    /// The answer to `prompt` in `deltas` deltas, and padded to at least `bytes` bytes.
    pub(crate) fn new(prompt: &str, deltas: u32, bytes: usize) -> Self {
        let plain = Self { fingerprint: fingerprint(prompt), deltas: deltas.max(1), padding: 0 };
        Self { padding: plain.missing(bytes).div_ceil(plain.deltas as usize), ..plain }
    }

    fn missing(&self, bytes: usize) -> usize {
        if bytes == 0 { 0 } else { bytes.saturating_sub(self.text(self.deltas).len()) }
    }

    /// How many deltas the whole answer has.
    pub(crate) fn deltas(&self) -> u32 {
        self.deltas
    }

    /// The first `deltas` deltas in one piece.
    pub(crate) fn text(&self, deltas: u32) -> String {
        let mut text = String::with_capacity(deltas as usize * (8 + self.padding) + 24);
        (0..deltas).for_each(|index| self.push(index, &mut text));
        text
    }

    /// Appends delta `index` (from 0) to `text`.
    pub(crate) fn push(&self, index: u32, text: &mut String) {
        match index {
            0 => text.push_str(&format!("digest:{:016x} ", self.fingerprint)),
            _ => words::push(self.fingerprint, index - 1, text),
        }
        text.extend(std::iter::repeat_n('.', self.padding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_start_of_the_sha256() {
        assert_eq!(digest("abc"), "ba7816bf8f01cfea");
        assert_eq!(digest(""), "e3b0c44298fc1c14");
    }

    #[test]
    fn the_answer_names_its_prompt_and_says_it_is_simulated() {
        let text = Answer::new("abc", 24, 0).text(24);
        assert!(text.starts_with("digest:ba7816bf8f01cfea This answer is simulated: "), "{text}");
        assert!(!text.is_ascii(), "no multi-byte word in {text}");
    }

    #[test]
    fn deltas_put_together_are_the_text() {
        let answer = Answer::new("abc", 100, 5000);
        let mut text = String::new();
        (0..100).for_each(|index| answer.push(index, &mut text));
        assert_eq!(text, answer.text(100));
        assert!((5000..5100).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn answers_to_different_prompts_differ() {
        assert_ne!(Answer::new("a", 30, 0).text(30), Answer::new("b", 30, 0).text(30));
    }
}
