//! A results file from an earlier run: what stands in it is kept and not fetched again, and
//! what a kill or a power cut tore is mended.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
};

use serde::Deserialize;

use super::standing;
use crate::{
    batch::{input::words, ledger::Ledger, run::Key},
    failure::Usage,
    output,
    words::counted,
};

/// The longest line, in bytes: more than the largest result with everything in it escaped.
const LONGEST: u64 = 128 << 20;

/// What of a line tells whose result it is.
#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
}

/// Marks the tasks whose results stand in the file, and cuts off a torn end.
///
/// # Errors
/// [`Usage`] when the file holds something else, or results of other tasks.
pub(super) fn take_in(file: &File, name: &str, ledger: &mut Ledger) -> Result<(), Usage> {
    let refused = |error: io::Error| Usage(format!("cannot read {name}: {}", words(&error)));
    let mut reader = BufReader::with_capacity(256 << 10, file);
    reader.rewind().map_err(refused)?;
    let (mut line, mut number, mut good) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let limited = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        let read = limited.map_err(refused)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if line == b"\n" {
            good += read as u64;
            continue;
        }
        if !mark(&line, name, number, ledger)? {
            let is_torn = !line.ends_with(b"\n") || line.contains(&0);
            return mend(file, name, number, good, is_torn).map_err(refused)?;
        }
        good += read as u64;
    }
}

/// False for a line that is none of ours, or not all of one.
fn mark(line: &[u8], name: &str, number: u64, ledger: &mut Ledger) -> Result<bool, Usage> {
    let Some(json) = line.strip_suffix(b"\n") else { return Ok(false) };
    let Ok(known) = serde_json::from_slice::<Known<'_>>(json) else { return Ok(false) };
    let Some(standing) = standing(&known.state) else { return Ok(false) };
    if let Some((at, _)) = ledger.find(&known.id)
        && ledger.key(&known.id) != Key::parse(&known.key)
    {
        return Err(Usage(format!(
            "{name}:{number} holds the result of another task with the id of input line {at}: \
             its prompt, the options or the group have changed.\n\
             Give a changed prompt a new id, or name another --out."
        )));
    }
    ledger.set(&known.id, standing);
    Ok(true)
}

/// Cuts off what a kill tore. A line that is wrong in the middle was not torn: the file is
/// something else. Zeros are what a power cut leaves.
fn mend(
    file: &File,
    name: &str,
    number: u64,
    good: u64,
    is_torn: bool,
) -> io::Result<Result<(), Usage>> {
    if !is_torn || good == 0 && !looks_like_ours(file)? {
        let problem = format!("{name}:{number} is no line of results; --out appends to its own");
        return Ok(Err(Usage(format!("{problem} only: name another file."))));
    }
    file.set_len(good)?;
    let kept = counted(number - 1, "result");
    output::talk(&format!("{name}: its last line was cut short; {kept} kept."));
    Ok(Ok(()))
}

/// Whether the file's only line is the beginning of one of ours: nothing else may be cut.
fn looks_like_ours(mut file: &File) -> io::Result<bool> {
    file.rewind()?;
    let mut beginning = Vec::new();
    file.take(4_096).read_to_end(&mut beginning)?;
    let text = String::from_utf8_lossy(&beginning);
    let is_ours = text.starts_with("{\"id\":\"") && text.contains("\",\"task_id\":\"");
    Ok(is_ours || beginning.iter().all(|byte| *byte == 0))
}
