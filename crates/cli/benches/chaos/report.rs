//! The table that a run prints, and the facts of every broken promise.

use std::{collections::BTreeMap, time::Duration};

use taskfleet_core::Timestamp;

use crate::{
    Driven,
    chaos::{
        delays::Delays,
        history::{Fault, History},
        judge::{Broken, Judgement},
        kind::{Cause, Kind},
        shape::Shape,
    },
    options,
};

/// Broken promises that are shown …
const SHOWN: usize = 500;
/// … and of these, so many with the facts of their tasks.
const WITH_FACTS: usize = 20;
/// Faults that are shown around the attempts of a task.
const NEAR: Duration = Duration::from_secs(5);

/// All that a run found.
pub(crate) struct Report<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) driven: &'a Driven,
    pub(crate) tasks: &'a [History],
    pub(crate) judgement: &'a Judgement,
    pub(crate) delays: &'a [Delays],
}

impl Report<'_> {
    /// Prints the table to standard output, and broken promises with their facts.
    pub(crate) fn print(&self) {
        self.faults();
        self.delays();
        self.repeats();
        self.broken();
        println!("\nagain: {}", options::command(self.shape));
    }

    fn faults(&self) {
        let shape = self.shape;
        println!(
            "{} tasks in {:?}, {} workers of {} slots, calls of {:?}, seed {}\n",
            self.tasks.len(),
            shape.lasts,
            shape.workers,
            shape.slots,
            shape.call,
            shape.seed
        );
        println!("{:<62}{:>8}", "faults", self.driven.faults.len());
        for kind in Kind::ALL {
            let count = self.driven.faults.iter().filter(|fault| fault.kind == kind).count();
            println!("  {:<60}{count:>8}", kind.words());
        }
    }

    fn delays(&self) {
        println!(
            "\n{:<62}{:>8}{:>10}{:>10}",
            "until the work went on", "times", "median", "maximum"
        );
        for delays in self.delays {
            println!(
                "  {:<60}{:>8}{:>10}{:>10}  {}",
                delays.words,
                delays.times.len(),
                in_words(delays.median()),
                in_words(delays.maximum()),
                goal(delays)
            );
        }
    }

    fn repeats(&self) {
        let calls: u32 = self.tasks.iter().map(History::call_count).sum();
        println!("\n{:<62}{calls:>8}", "calls");
        let repeated = self.tasks.iter().map(|task| task.call_count().saturating_sub(1));
        println!("  {:<60}{:>8}", "repeated", repeated.sum::<u32>());
        for cause in Cause::ALL {
            let cost = self.judgement.costs.get(&cause).copied().unwrap_or_default();
            let bound = match cause {
                Cause::Supervisor => "  must be 0".to_owned(),
                _ => format!("  of {} in flight or unsettled there", cost.found),
            };
            println!("    {:<58}{:>8}{bound}", cause.words(), cost.repeated);
        }
        let unattributed = self.judgement.unattributed;
        println!("    {:<58}{unattributed:>8}  must be 0", "without a cause");
        println!("{:<62}{:>8}", "submissions asked again", self.driven.asked_again);
    }

    fn broken(&self) {
        let broken = &self.judgement.broken;
        if broken.is_empty() {
            println!("\nevery promise held");
            return;
        }
        println!("\n{} times a promise did not hold", broken.len());
        let by_id: BTreeMap<&str, &History> =
            self.tasks.iter().map(|task| (task.id.as_str(), task)).collect();
        for (index, Broken { task, words }) in broken.iter().take(SHOWN).enumerate() {
            let history = task.as_deref().and_then(|id| by_id.get(id));
            println!("  {}: {words}", task.as_deref().unwrap_or("the run"));
            if let Some(history) = history.filter(|_| index < WITH_FACTS) {
                self.facts(history);
            }
        }
    }

    /// The attempts, the calls and the faults near them, by the seconds of the run.
    fn facts(&self, task: &History) {
        let at = |time: Timestamp| time.since(self.driven.began).as_secs_f64();
        for attempt in &task.attempts {
            let calls = task.calls.get(&attempt.lease).copied().unwrap_or_default();
            println!(
                "      {:8.3} to {:8.3} s: lease {} on {}, {}, {calls} calls, possibly paid: {}",
                at(attempt.started),
                at(attempt.ended),
                attempt.lease,
                attempt.worker,
                attempt.end.as_str_name(),
                attempt.possibly_paid
            );
        }
        let near = |fault: &&Fault| {
            task.attempts.iter().any(|attempt| {
                let own = fault.kind.is_supervisors() || fault.target == attempt.worker;
                own && fault.began <= attempt.ended + NEAR && fault.healed + NEAR >= attempt.started
            })
        };
        for fault in self.driven.faults.iter().filter(near) {
            println!(
                "      {:8.3} to {:8.3} s: {}, {}",
                at(fault.began),
                at(fault.healed),
                fault.target,
                fault.kind.words()
            );
        }
    }
}

fn in_words(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{} ms", time.as_millis()))
}

fn goal(delays: &Delays) -> String {
    let parts = [("median", delays.goal.median), ("maximum", delays.goal.maximum)];
    let wanted = parts.iter().filter_map(|(name, goal)| Some(format!("{name} < {:?}", (*goal)?)));
    let wanted: Vec<String> = wanted.collect();
    match delays.is_met() {
        None if wanted.is_empty() => String::new(),
        None => format!("{}: not seen", wanted.join(", ")),
        Some(true) => format!("{}: met", wanted.join(", ")),
        Some(false) => format!("{}: MISSED", wanted.join(", ")),
    }
}
