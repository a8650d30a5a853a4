//! The text of one execution as it grows, and how much of it a reader has seen.
//!
//! Readers come and take what is new to them; nothing is queued for any of them, so a slow
//! one costs no memory and holds up nobody.

use std::fmt;

/// Text that only grows. Its Debug shows the size only.
#[derive(Clone, Default)]
pub struct TextLog {
    text: String,
}

impl TextLog {
    /// Adds what came.
    pub fn push(&mut self, delta: &str) {
        self.text.push_str(delta);
    }

    /// Adds a piece that begins at `offset`: the part of it that is known is skipped.
    ///
    /// # Errors
    /// [`Gap`] when text before `offset` is missing, or `offset` cuts a character.
    pub fn push_at(&mut self, offset: usize, delta: &str) -> Result<(), Gap> {
        let known = self.text.len().checked_sub(offset).ok_or(Gap)?;
        if known < delta.len() {
            self.text.push_str(delta.get(known..).ok_or(Gap)?);
        }
        Ok(())
    }

    /// What stands from `offset` on, at most `max` bytes of it, cut between characters;
    /// `None` when the text is not that long or `offset` cuts a character.
    #[must_use]
    pub fn from(&self, offset: usize, max: usize) -> Option<&str> {
        let rest = self.text.get(offset..)?;
        Some(&rest[..rest.floor_char_boundary(max)])
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing has come yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// All of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// All of it, taken.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }
}

impl fmt::Debug for TextLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextLog({} bytes)", self.text.len())
    }
}

/// Text is missing before a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text is missing before this piece")]
pub struct Gap;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_is_partly_known_adds_only_what_is_new() {
        let mut log = TextLog::default();
        log.push("grüß");
        log.push_at(2, "üß dich").unwrap();
        assert_eq!(log.as_str(), "grüß dich");
        log.push_at(0, "gr").unwrap();
        assert_eq!(log.as_str(), "grüß dich");
        assert_eq!(log.push_at(50, "x"), Err(Gap));
    }

    #[test]
    fn reading_never_cuts_a_character() {
        let mut log = TextLog::default();
        log.push("añb");
        assert_eq!(log.from(0, 2), Some("a"));
        assert_eq!(log.from(1, 100), Some("ñb"));
        assert_eq!(log.from(2, 100), None);
        assert_eq!(log.from(99, 1), None);
    }
}
