//! The process of one seed.
#![expect(clippy::print_stdout, reason = "what happened is told to the process that started it")]

use std::{
    env,
    process::exit,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use crate::{
    chance::Chance,
    journal::Journal,
    plan::{Family, Plan},
    randomness,
    seeds::SIMULATE,
    world,
};

/// No seed takes nearly as long, in seconds of the real clock.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// The stack that a simulation runs on.
const STACK_BYTES: usize = 16 << 20;

/// Simulates the seed that the environment names; standard output says what happened.
pub(crate) fn run() {
    let wanted = env::var(SIMULATE).expect("started by one of the other tests");
    let mut words = wanted.split(' ');
    let family = words.next().and_then(Family::from_name).expect("a family");
    let seed = words.next().and_then(|seed| seed.parse().ok()).expect("a seed");
    let print = words.next() == Some("print");
    let journal = within(STUCK_AFTER, move || simulation(family, seed));
    tell(&journal, print);
}

/// On a thread of its own, whose randomness is the seed's.
fn simulation(family: Family, seed: u64) -> Journal {
    randomness::seed_this_thread(Chance::of(seed, family.name()).next());
    note_panics();
    logging();
    let journal = world::run(Plan::new(family, seed));
    for panic in PANICS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        journal.violation(panic);
    }
    journal
}

/// A task that panics is caught by its runtime; here it is told.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
    }));
}

/// With `RUST_LOG`, what the services say, on standard error.
fn logging() {
    if env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        to.with_timer(SimulatedTime).with_ansi(false).init();
    }
}

struct SimulatedTime;

impl tracing_subscriber::fmt::time::FormatTime for SimulatedTime {
    fn format_time(
        &self,
        to: &mut tracing_subscriber::fmt::format::Writer<'_>,
    ) -> std::fmt::Result {
        write!(to, "{:>9.3}", crate::journal::now().as_secs_f64())
    }
}

/// A simulation that does not get on is ended, loudly.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // Nobody may be waiting any more.
        let _ = done.send(work());
    });
    let thread = thread.expect("a thread");
    match is_done.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Disconnected) => {
            drop(thread.join());
            let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
            println!("the simulation panicked: {panics}");
            exit(1)
        }
        Err(RecvTimeoutError::Timeout) => {
            println!("the simulation did not end within {limit:?}");
            exit(1)
        }
    }
}

fn tell(journal: &Journal, print: bool) {
    let violations = journal.violations();
    let lines = journal.lines();
    if print || !violations.is_empty() {
        println!("{}", lines.join("\n"));
    } else if let Some(last) = lines.last() {
        println!("{last}");
    }
    println!("hash {:x}", journal.hash());
    violations.iter().for_each(|violation| println!("VIOLATION {violation}"));
    if !violations.is_empty() {
        exit(1);
    }
}
