//! What a run is told on its command line.

use std::{fmt::Write as _, time::Duration};

use clap::Parser;
use taskfleet_runtime::Entropy;

use crate::chaos::shape::Shape;

/// Submits tasks to a fleet of real processes, strikes them with faults drawn from a seed, and
/// checks that nothing was lost and no call repeated without a cause.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Options {
    /// Tasks, submitted evenly over the whole time.
    #[arg(long, default_value_t = 2_000)]
    tasks: u32,
    /// Seconds in which tasks are submitted and faults strike.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Faults, their order and their times are drawn from it; a fresh one unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Workers, at least 4.
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// Calls at once of each worker.
    #[arg(long, default_value_t = 4)]
    slots: u32,
    /// Milliseconds from one fault to the next, on average.
    #[arg(long, default_value_t = 2_000)]
    every_ms: u64,
    /// Milliseconds that a call takes; unless given, what keeps half of the slots busy.
    #[arg(long)]
    call_ms: Option<u64>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The numbers of the run.
    ///
    /// # Errors
    /// Says which do not go together.
    pub(crate) fn shape(&self) -> Result<Shape, String> {
        if self.tasks == 0 || self.seconds == 0 || self.slots == 0 || self.every_ms == 0 {
            return Err("tasks, seconds, slots and every-ms are at least 1".into());
        }
        let fresh = || u64::from(u32::from_le_bytes(Entropy::from_os().bytes()));
        let mut shape = Shape {
            seed: self.seed.unwrap_or_else(fresh),
            tasks: self.tasks,
            lasts: Duration::from_secs(self.seconds),
            workers: self.workers,
            slots: self.slots,
            every: Duration::from_millis(self.every_ms),
            call: Duration::ZERO,
        };
        shape.call = self.call_ms.map_or_else(|| shape.fitting_call(), Duration::from_millis);
        shape.check()?;
        Ok(shape)
    }
}

/// The command that runs the same again.
pub(crate) fn command(shape: &Shape) -> String {
    let mut command = String::from("cargo bench -p taskfleet --bench chaos --");
    let numbers = [
        ("tasks", u128::from(shape.tasks)),
        ("seconds", u128::from(shape.lasts.as_secs())),
        ("seed", u128::from(shape.seed)),
        ("workers", shape.workers as u128),
        ("slots", u128::from(shape.slots)),
        ("every-ms", shape.every.as_millis()),
        ("call-ms", shape.call.as_millis()),
    ];
    for (name, number) in numbers {
        // Writing into a string does not fail.
        let _ = write!(command, " --{name} {number}");
    }
    command
}
