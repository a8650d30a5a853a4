//! Many tasks from a file: all of it is checked, each task is submitted once however often the
//! command is run, and every outcome is written once.
//!
//! Nothing is remembered between runs but what the input, the results file and the supervisor
//! hold: so a kill at any moment costs nothing.

mod ask;
mod collector;
mod conflicts;
mod feed;
mod input;
mod ledger;
mod line;
mod lines;
mod problems;
mod progress;
mod results;
mod run;
mod source;
mod submitter;

use std::{cell::RefCell, process::ExitCode, time::Duration};

use anyhow::Context;
use taskfleet_proto::v1::TaskSpec;
use tokio::sync::mpsc;

use crate::{
    client::Client,
    failure::Usage,
    output,
    stop::Stop,
    words::{counted, grouped},
};
use ask::Asker;
use collector::Collector;
pub(crate) use input::{Format, Input, is_file};
use ledger::{Counts, Ledger};
use problems::Problems;
use progress::Progress;
use results::Results;
use source::Source;
use submitter::{Submitter, Tally};

/// Batches that are accepted and whose outcomes nobody has asked for yet.
const AHEAD: usize = 4;

/// How an input is to be submitted.
#[derive(Debug)]
pub(crate) struct Options {
    /// The supervisor, host:port.
    pub(crate) address: String,
    /// Print what was done as JSON.
    pub(crate) json: bool,
    /// Wait for the outcomes.
    pub(crate) wait: bool,
    /// Where they go; `None` and `-`: standard output.
    pub(crate) out: Option<String>,
    /// Leave out lines that are wrong instead of submitting nothing.
    pub(crate) skip_bad: bool,
    /// How long a supervisor may stay away.
    pub(crate) patience: Duration,
}

/// Submits every task of `input`; `base` says what its lines leave unsaid.
///
/// # Errors
/// [`Usage`] when the input or the results file is wrong; nothing has been submitted then.
pub(crate) async fn run(
    input: Input,
    base: TaskSpec,
    options: Options,
) -> anyhow::Result<ExitCode> {
    let source = Source::new(input, base);
    let (mut ledger, mut problems) = source.check().map_err(|error| unreadable(&source, &error))?;
    judge(&source, &ledger, &mut problems, &options)?;
    let results = match options.wait {
        true => Some(Results::open(options.out.as_deref(), &mut ledger)?),
        false => None,
    };
    if let (Some(results), 0) = (&results, ledger.counts().open) {
        return Ok(finish(ledger.counts(), &problems, results));
    }
    let progress = Progress::new(ledger.counts());
    let client = Client::connect(&options.address).await?;
    client.greet().await?;
    let asker = Asker { client, patience: options.patience, progress };
    let work = Work {
        asker,
        source,
        results,
        ledger: RefCell::new(ledger),
        problems: RefCell::new(problems),
        options,
    };
    work.run().await
}

fn unreadable(source: &Source, error: &std::io::Error) -> Usage {
    Usage(format!("cannot read {}: {}", source.input.name, input::words(error)))
}

/// Nothing is submitted of an input that has a wrong line, unless such lines are to be skipped.
fn judge(
    source: &Source,
    ledger: &Ledger,
    problems: &mut Problems,
    options: &Options,
) -> Result<(), Usage> {
    let name = &source.input.name;
    if problems.lines() > 0 {
        problems.tell(&source.input);
    }
    if problems.lines() > 0 && !options.skip_bad {
        let lines = counted(problems.lines(), "line");
        let skip = "--skip-bad submits the rest";
        return Err(Usage(format!("{lines} of {name} cannot be submitted; nothing was. {skip}.")));
    }
    match ledger.counts().open {
        0 => Err(Usage(format!("{name} holds no task that can be submitted"))),
        _ => Ok(()),
    }
}

/// A submission under way.
struct Work {
    asker: Asker,
    source: Source,
    results: Option<Results>,
    ledger: RefCell<Ledger>,
    problems: RefCell<Problems>,
    options: Options,
}

impl Work {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut stop = Stop::listen()?;
        self.begin();
        let outcome = tokio::select! {
            outcome = self.work() => Some(outcome),
            () = stop.next() => None,
        };
        self.asker.progress.close();
        tokio::select! {
            code = self.end(outcome) => code,
            () = stop.next() => Ok(Stop::exit_code()),
        }
    }

    fn begin(&self) {
        let (counts, group) = (self.ledger.borrow().counts(), self.source.group());
        let known = match counts.ended() {
            0 => String::new(),
            known => format!("; {} of them stand in the results already", grouped(known)),
        };
        let all = counted(counts.open + counts.ended(), "task");
        self.asker.progress.say(&format!("{all} in group {group}{known}."));
    }

    async fn work(&self) -> anyhow::Result<Tally> {
        let submitter = Submitter {
            asker: &self.asker,
            source: &self.source,
            ledger: &self.ledger,
            skip_bad: self.options.skip_bad,
            problems: &self.problems,
        };
        let Some(results) = &self.results else { return submitter.run(None).await };
        let (sender, accepted) = mpsc::channel(AHEAD);
        let collector =
            Collector { asker: &self.asker, source: &self.source, ledger: &self.ledger, results };
        let (tally, ()) = futures::try_join!(submitter.run(Some(sender)), collector.run(accepted))?;
        Ok(tally)
    }

    /// Says what was done; the exit code for it.
    async fn end(&self, outcome: Option<anyhow::Result<Tally>>) -> anyhow::Result<ExitCode> {
        if let Some(results) = &self.results {
            results.sync().await.with_context(|| format!("cannot write {}", results.name()))?;
        }
        let counts = self.ledger.borrow().counts();
        match outcome {
            None => {
                output::talk(&self.interrupted(counts));
                Ok(Stop::exit_code())
            }
            Some(Err(error)) if error.is::<Usage>() => Err(error),
            Some(Err(error)) => {
                Err(error.context("stopped, and the same command goes on from here"))
            }
            Some(Ok(tally)) => {
                if counts.skipped > 0 {
                    self.problems.borrow_mut().tell(&self.source.input);
                }
                if self.results.is_none() {
                    self.accepted(tally)?;
                }
                let problems = self.problems.borrow();
                Ok(match &self.results {
                    Some(results) => finish(counts, &problems, results),
                    None => code(counts, &problems),
                })
            }
        }
    }

    fn interrupted(&self, counts: Counts) -> String {
        let group = self.source.group();
        let waited = match &self.results {
            Some(results) => {
                let (done, all) = (counts.ended(), counts.open);
                let (done, all) = (grouped(done), grouped(done + all));
                format!(" {done} of {all} results are in {}.", results.name())
            }
            None => String::new(),
        };
        format!(
            "Interrupted.{waited} What was submitted goes on in group {group}.\n\
             The same command goes on from here; no task is made or paid for twice."
        )
    }

    /// Without waiting: the group is all that one needs to find the tasks again.
    fn accepted(&self, tally: Tally) -> anyhow::Result<()> {
        let group = self.source.group();
        if self.options.json {
            let new = tally.all - tally.existing;
            let said = serde_json::json!({
                "group": group,
                "tasks": tally.all,
                "new": new,
                "existing": tally.existing,
                "skipped": self.problems.borrow().lines(),
            });
            return Ok(output::line(&said.to_string())?);
        }
        output::line(group)?;
        let existing = match tally.existing {
            0 => String::new(),
            existing => format!(", {} of them by an earlier run", grouped(existing)),
        };
        output::talk(&format!(
            "{} accepted{existing}{}. The same command with --wait --out FILE waits for the results.",
            counted(tally.all, "task"),
            left_out(&self.problems.borrow())
        ));
        Ok(())
    }
}

/// Says how all tasks ended; the exit code for it.
fn finish(counts: Counts, problems: &Problems, results: &Results) -> ExitCode {
    let all = counted(counts.ended(), "task");
    let (completed, not) = (grouped(counts.completed), counts.not_completed());
    output::talk(&format!(
        "{all} ended: {completed} completed, {not}{}; results in {}.",
        left_out(problems),
        results.name()
    ));
    code(counts, problems)
}

fn left_out(problems: &Problems) -> String {
    match problems.lines() {
        0 => String::new(),
        lines => format!(", {} left out", counted(lines, "line")),
    }
}

fn code(counts: Counts, problems: &Problems) -> ExitCode {
    let fine = counts.completed == counts.ended() && problems.lines() == 0;
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
