//! What a run is told on its command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::{depth, growth};

/// Measures a fleet of real processes on this machine and prints what it costs.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
pub(crate) struct Options {
    /// Many more tasks of each kind: minutes instead of seconds.
    #[arg(long)]
    long: bool,
    /// Tasks of each shape of throughput, instead of the form's.
    #[arg(long)]
    tasks: Option<usize>,
    /// Only these scenarios.
    #[arg(long, value_enum)]
    only: Vec<Scenario>,
    /// Writes the figures into this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// One task after the other on a fleet that has nothing else to do.
    Idle,
    /// One-shot requests, a thousand in each `SubmitTasks`.
    Batches,
    /// One-shot requests, one in each `SubmitTask`, from 64 callers.
    Singles,
    /// Prompts whose answers are streamed in 20 deltas, a thousand in each `SubmitTasks`.
    Content,
    /// A deep queue: submissions, memory, lists, a restart, dispatching.
    Depth,
    /// Submissions while ended tasks are pruned.
    Pruning,
    /// Submissions beside watchers that never read.
    Watchers,
    /// Ten thousand streaming calls at once: memory, files, and submissions beside them.
    InFlight,
    /// What a task costs among few and among many, and with few workers and with many.
    Growth,
    /// One tenant's single tasks beside another's large batch.
    Neighbours,
}

impl Options {
    pub(crate) fn wants(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }

    /// Tasks of each shape of throughput.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.unwrap_or(if self.long { 200_000 } else { 20_000 })
    }

    /// Tasks on an idle fleet.
    pub(crate) const fn singles(&self) -> usize {
        if self.long { 2_000 } else { 300 }
    }

    /// How deep the queue is, and how much is pruned.
    pub(crate) const fn depth(&self) -> depth::Size {
        if self.long { depth::Size::LONG } else { depth::Size::SHORT }
    }

    /// How often ten thousand calls run at once.
    pub(crate) const fn waves(&self) -> usize {
        if self.long { 3 } else { 1 }
    }

    /// How many tasks and workers there are at most.
    pub(crate) const fn growth(&self) -> growth::Size {
        if self.long { growth::Size::LONG } else { growth::Size::SHORT }
    }

    /// Tasks in a neighbour's batch.
    pub(crate) const fn batch(&self) -> usize {
        if self.long { 1_000_000 } else { 100_000 }
    }
}
