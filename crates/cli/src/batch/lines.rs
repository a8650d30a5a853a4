//! The lines of an input, one at a time and each of bounded size.

use std::io::{self, BufRead, Read};

/// The longest line, in bytes: more than the largest task, with everything in it escaped.
const LONGEST: u64 = 64 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads lines and counts them; blank ones are counted and left out.
pub(super) struct Lines<R> {
    reader: R,
    number: u32,
    buffer: Vec<u8>,
}

/// One line, without its end.
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: u32,
    /// Its text, or why it has none.
    pub(super) text: Result<&'a str, &'static str>,
}

impl<R: BufRead> Lines<R> {
    /// From the beginning of `reader`.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0, buffer: Vec::new() }
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(is_whole) = self.fill()? else { return Ok(None) };
        let text = match is_whole {
            true => str::from_utf8(&self.buffer).map_err(|_| "is not UTF-8 text"),
            false => Err("is longer than 64 MiB"),
        };
        Ok(Some(Line { number: self.number, text }))
    }

    /// Brings the next line that is not blank into the buffer; whether it is there as a whole.
    fn fill(&mut self) -> io::Result<Option<bool>> {
        loop {
            self.buffer.clear();
            let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.count()?;
            if read as u64 == LONGEST && self.buffer.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
                return Ok(Some(false));
            }
            self.trim();
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(Some(true));
            }
        }
    }

    fn count(&mut self) -> io::Result<()> {
        let next = self.number.checked_add(1);
        self.number = next.ok_or_else(|| io::Error::other("there are more than 2^32 lines"))?;
        Ok(())
    }

    /// Takes off the end of the line, and the byte order mark that some editors begin with.
    fn trim(&mut self) {
        for end in [b'\n', b'\r'] {
            if self.buffer.last() == Some(&end) {
                self.buffer.pop();
            }
        }
        if self.number == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u32, String)> {
        let mut lines = Lines::new(bytes);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.number, line.text.unwrap_or_else(|why| why).to_owned()));
        }
        all
    }

    #[test]
    fn blank_lines_count_and_are_left_out() {
        let expected = [(2, "a".to_owned()), (5, " b".to_owned())];
        assert_eq!(read(b"\na\r\n\n  \n b"), expected);
    }

    #[test]
    fn what_is_no_text_is_named_and_a_byte_order_mark_is_none() {
        let expected = [(1, "a".to_owned()), (2, "is not UTF-8 text".to_owned())];
        assert_eq!(read(b"\xef\xbb\xbfa\n\xff\n"), expected);
    }

    #[test]
    fn a_line_without_end_is_held_in_part_only() {
        let mut long = vec![b'x'; 80 << 20];
        long.extend(b"\nnext\n");
        let expected = [(1, "is longer than 64 MiB".to_owned()), (2, "next".to_owned())];
        assert_eq!(read(&long), expected);
    }
}
