//! The tasks of an input, in its order: read twice, first to check all of them and then to
//! submit them.

use std::{
    fs::File,
    io::{self, BufReader},
};

use taskfleet_proto::{FieldError, read_spec, v1::TaskSpec};

use super::{
    input::{Format, Input},
    ledger::Ledger,
    line,
    lines::Lines,
    problems::Problems,
    run::{self, Key},
};

/// An input, and what its lines leave unsaid.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) input: Input,
    base: TaskSpec,
}

/// A task and its key, or what is wrong with its line.
pub(super) type Reading = Result<(Key, TaskSpec), Vec<FieldError>>;

impl Source {
    /// The tasks of `input`; `base` says what its lines do not. An empty group is filled in.
    pub(super) fn new(input: Input, mut base: TaskSpec) -> Self {
        if base.group.is_empty() {
            base.group = run::group(&input, &base);
        }
        Self { input, base }
    }

    /// The group of all its tasks.
    pub(super) fn group(&self) -> &str {
        &self.base.group
    }

    /// The tenant of all its tasks.
    pub(super) fn tenant(&self) -> &str {
        &self.base.tenant
    }

    /// The tasks from the beginning.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub(super) fn tasks(&self) -> io::Result<Tasks<'_>> {
        Ok(Tasks { source: self, lines: Lines::new(self.input.reader()?) })
    }

    /// Reads all of it and finds every line that is wrong.
    ///
    /// # Errors
    /// As [`Source::tasks`].
    pub(super) fn check(&self) -> io::Result<(Ledger, Problems)> {
        let (mut ledger, mut problems) = (Ledger::default(), Problems::default());
        let mut tasks = self.tasks()?;
        while let Some((line, task)) = tasks.next()? {
            ledger.saw(line);
            match task.and_then(|(key, task)| Ok((key, task.client_ref.clone(), read_spec(task)?)))
            {
                Ok((key, id, _)) => ledger.add(&id, key, line),
                Err(errors) => problems.add_fields(line, &errors),
            }
        }
        for twice in ledger.sort() {
            problems.add(twice.line, format!("id is that of line {} already", twice.first));
        }
        Ok((ledger, problems))
    }

    fn task(&self, line: u32, text: &str) -> Reading {
        let mut task = match self.input.format {
            Format::Jsonl => line::read(text, &self.base)?,
            Format::Text => TaskSpec { content: text.to_owned(), ..self.base.clone() },
        };
        if task.client_ref.is_empty() {
            task.client_ref = line.to_string();
        }
        let key = run::key(&task);
        task.idempotency_key = key.to_string();
        Ok((key, task))
    }
}

/// Reads tasks one after the other.
pub(super) struct Tasks<'a> {
    source: &'a Source,
    lines: Lines<BufReader<File>>,
}

impl Tasks<'_> {
    /// The next line's number, and its task or what is wrong with it.
    ///
    /// # Errors
    /// As [`Source::tasks`].
    pub(super) fn next(&mut self) -> io::Result<Option<(u32, Reading)>> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let task = match line.text {
            Ok(text) => self.source.task(line.number, text),
            Err(problem) => Err(vec![FieldError::new("the line", problem)]),
        };
        Ok(Some((line.number, task)))
    }
}
