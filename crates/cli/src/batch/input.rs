//! Where the tasks come from: a file that is read twice, first to check all of it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read, Seek, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{failure::Usage, output};

/// How an input is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One prompt a line.
    Text,
    /// One JSON object a line.
    Jsonl,
}

/// An input that is open.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
    /// What people call it.
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) origin: Origin,
}

/// What makes it the same input when it is read again.
#[derive(Debug)]
pub(super) enum Origin {
    /// The file's absolute path: it may grow.
    Path(PathBuf),
    /// A digest over all of it: a stream has no name.
    Content([u8; 32]),
}

impl Input {
    /// Opens the file `name`, or standard input for `-`.
    ///
    /// # Errors
    /// [`Usage`] when it cannot be read.
    pub(crate) fn open(name: &str, format: Option<Format>) -> Result<Self, Usage> {
        let (shown, opened) = match name {
            "-" => ("standard input", standard_input()),
            path => (path, file(Path::new(path))),
        };
        let refused = |error: io::Error| Usage(format!("cannot read {shown}: {}", words(&error)));
        let (mut file, origin) = opened.map_err(refused)?;
        let format = match format.or_else(|| by_extension(name)) {
            Some(format) => format,
            None => by_first_byte(&mut file).map_err(refused)?,
        };
        Ok(Self { file, name: shown.to_owned(), format, origin })
    }

    /// Reads it from its beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn reader(&self) -> io::Result<BufReader<File>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(BufReader::with_capacity(256 << 10, file))
    }

    /// What errors in a line begin with: `prompts.jsonl:17`.
    pub(super) fn at(&self, line: u32) -> String {
        format!("{}:{line}", self.name)
    }
}

/// Whether an argument means a file rather than a prompt.
pub(crate) fn is_file(argument: &str) -> bool {
    let is_name = !argument.contains(char::is_whitespace);
    // A path that is misspelt must not become a prompt that is paid for.
    let is_path = ["./", "../", "/"].iter().any(|root| argument.starts_with(root));
    argument == "-"
        || Path::new(argument).exists()
        || is_name && (is_path || by_extension(argument).is_some())
}

fn by_extension(name: &str) -> Option<Format> {
    let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "txt" => Some(Format::Text),
        _ => None,
    }
}

fn by_first_byte(file: &mut File) -> io::Result<Format> {
    file.rewind()?;
    let mut reader = BufReader::new(&*file);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(Format::Text);
        }
        let known = buffer.trim_ascii_start().first().copied();
        if let Some(first) = known {
            return Ok(if first == b'{' { Format::Jsonl } else { Format::Text });
        }
        let blank = buffer.len();
        reader.consume(blank);
    }
}

fn file(path: &Path) -> io::Result<(File, Origin)> {
    let mut file = File::open(path)?;
    let kind = file.metadata()?;
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if kind.is_file() {
        return Ok((file, Origin::Path(path.canonicalize()?)));
    }
    // A pipe, such as the shell's <(…), can be read once only.
    spool(&mut file)
}

fn standard_input() -> io::Result<(File, Origin)> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        output::talk("Reading from the terminal; Ctrl-D ends the input.");
    }
    spool(&mut input)
}

/// Copies a stream into a file without a name, which is gone with this process.
fn spool(from: &mut impl Read) -> io::Result<(File, Origin)> {
    let mut file = tempfile::tempfile()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((file, Origin::Content(hash.finalize().into()))),
            Ok(read) => {
                hash.update(&buffer[..read]);
                file.write_all(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// An operating system's error without its number.
pub(super) fn words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_a_prompt() {
        for file in ["-", "a.jsonl", "dir/b.NDJSON", "c.txt", "/"] {
            assert!(is_file(file), "{file}");
        }
        for prompt in ["hello", "Summarise notes.txt", "What is 1.5?", "a.b"] {
            assert!(!is_file(prompt), "{prompt}");
        }
    }

    #[test]
    fn the_first_byte_tells_json_from_text() {
        let format = |content: &str| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            by_first_byte(&mut file).unwrap()
        };
        assert_eq!(format("\n \n{}"), Format::Jsonl);
        assert_eq!(format("hello {"), Format::Text);
        assert_eq!(format(""), Format::Text);
    }
}
