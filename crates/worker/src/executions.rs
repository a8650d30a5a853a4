//! What runs here and what is held.
//!
//! The rules are [`taskfleet_core::execution::ExecutionTable`]'s; here they meet the calls
//! that run and the streams that read. One lock decides, and nothing waits under it.

mod book;
mod execution;
mod reader;
mod run;
mod span;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::SecretString;
use taskfleet_core::{
    Instant, Lease,
    adoption::Held,
    execution::{Admitted, Bounds, Caller, Freed, Refused},
    task::{TraceContext, Work},
};
use taskfleet_runtime::{Clock, Tasks};
use tokio::sync::watch;

use crate::{api::SharedApi, metrics::Figures};
use book::Book;
use execution::{Abort, Execution};
use reader::Reader;

pub(crate) use book::Adopted;

/// How often outcomes are looked through for those whose time is over.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// A call to be made.
pub(crate) struct Job {
    /// What to call the model with.
    pub(crate) work: Work,
    /// How long the call may take.
    pub(crate) limit: Duration,
    /// Spent instead of the worker's own key.
    pub(crate) key: Option<SecretString>,
    /// W3C trace context, to be passed on.
    pub(crate) trace: Option<TraceContext>,
    /// The budget that it is charged to, if not account and model.
    pub(crate) limit_key: Option<String>,
}

/// How busy the worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    /// Executions whose call goes on.
    pub(crate) running: usize,
    /// Of these, what is not of the supervisor that is served.
    pub(crate) taken: usize,
    /// Outcomes that wait to be settled.
    pub(crate) held: usize,
    /// Bytes of these.
    pub(crate) held_bytes: usize,
    /// Nothing new is started.
    pub(crate) draining: bool,
}

/// The executions of this process. Clones are the same ones.
#[derive(Clone)]
pub(crate) struct Executions {
    shared: Arc<Shared>,
}

struct Shared {
    book: Mutex<Book>,
    load: watch::Sender<Load>,
    api: SharedApi,
    tasks: Tasks,
    clock: Clock,
    figures: Arc<Figures>,
}

impl Executions {
    pub(crate) fn new(
        bounds: Bounds,
        api: SharedApi,
        tasks: Tasks,
        clock: Clock,
        figures: Arc<Figures>,
    ) -> Self {
        let (book, load) = (Mutex::new(Book::new(bounds)), watch::Sender::new(Load::default()));
        Self { shared: Arc::new(Shared { book, load, api, tasks, clock, figures }) }
    }

    /// Runs or attaches to (task, lease); `None` for a job only attaches. The reader begins at
    /// `from_offset` of the text, and of two readers the later one goes on.
    ///
    /// # Errors
    /// Why nothing was started; see [`Refused`].
    pub(crate) fn process(
        &self,
        caller: Caller,
        wanted: Held,
        from_offset: usize,
        job: Option<Job>,
    ) -> Result<Reader, Refused> {
        let attach_only = job.is_none();
        let (admitted, execution, superseded) = self.change(|book, now| {
            let admitted = book.process(caller, wanted, attach_only, now)?;
            let superseded = match admitted {
                Admitted::Start { .. } => book.insert(wanted),
                Admitted::Attach => None,
            };
            Ok((admitted, book.find(wanted), superseded))
        })?;
        if let Some(lower) = superseded {
            lower.abort(Abort::Cancelled);
        }
        // The table and the map change together, under the lock.
        let execution = execution.ok_or(Refused::NotHeld)?;
        if let (Admitted::Start { .. }, Some(job)) = (admitted, job) {
            self.spawn(&execution, job);
        }
        Ok(Reader::attach(execution, from_offset, self.clone()))
    }

    /// Runs a call for a client that knows no leases. It ends with its reader.
    ///
    /// # Errors
    /// [`Refused::Draining`], [`Refused::NoSlot`]
    pub(crate) fn process_unleased(&self, task: String, job: Job) -> Result<Reader, Refused> {
        let execution = self.change(|book, _| book.start_unleased(task))?;
        self.spawn(&execution, job);
        Ok(Reader::bind(execution, self.clone()))
    }

    /// A supervisor takes over; what is held for it.
    ///
    /// # Errors
    /// [`Refused::Superseded`], [`Refused::NotServed`]
    pub(crate) fn adopt(&self, caller: Caller) -> Result<Adopted, Refused> {
        self.change(|book, now| book.adopt(caller, now))
    }

    /// Whether a call of this supervisor is to be followed.
    ///
    /// # Errors
    /// [`Refused::Superseded`], [`Refused::NotServed`]
    pub(crate) fn check(&self, caller: Caller) -> Result<(), Refused> {
        self.change(|book, now| book.settle(caller, &[], now)).map(drop)
    }

    /// Leases are over, each settled or void; what still runs under them is aborted.
    ///
    /// # Errors
    /// [`Refused::Superseded`], [`Refused::NotServed`]: then nothing was done.
    pub(crate) fn settle(&self, caller: Caller, leases: &[Held]) -> Result<(), Refused> {
        let freed = self.change(|book, now| book.settle(caller, leases, now))?;
        for (freed, execution) in freed {
            abort_if_running(freed, &execution);
        }
        Ok(())
    }

    /// Ends (task, lease) for ever, also when it comes only later. True when it ran.
    ///
    /// # Errors
    /// [`Refused::Superseded`], [`Refused::NotServed`]
    pub(crate) fn cancel(&self, caller: Caller, lease: Held) -> Result<bool, Refused> {
        let freed = self.change(|book, now| book.settle(caller, &[lease], now))?;
        for (freed, execution) in &freed {
            abort_if_running(*freed, execution);
        }
        Ok(freed.iter().any(|(freed, _)| *freed == Freed::Running))
    }

    /// From now on nothing new is started.
    pub(crate) fn drain(&self) {
        self.change(|book, _| book.drain());
    }

    /// Ends all that runs, to be run elsewhere.
    pub(crate) fn release(&self) {
        for execution in self.lock().running() {
            execution.abort(Abort::Released);
        }
    }

    /// How busy the worker is, now and later.
    pub(crate) fn load(&self) -> watch::Receiver<Load> {
        self.shared.load.subscribe()
    }

    /// Drops outcomes whose time is over, again and again.
    pub(crate) async fn expire_for_ever(self) {
        loop {
            tokio::time::sleep(EXPIRE_EVERY).await;
            let dropped = self.change(|book, now| book.expire(now));
            if dropped > 0 {
                self.shared.figures.dropped(dropped);
                tracing::warn!(dropped, "outcomes were held for too long and dropped");
            }
        }
    }

    fn running(&self) -> usize {
        self.shared.load.borrow().running
    }

    fn spawn(&self, execution: &Arc<Execution>, job: Job) {
        let run = run::run(self.clone(), Arc::clone(execution), job);
        self.shared.tasks.spawn(run);
    }

    /// Changes the book, and tells of it whoever watches the load.
    fn change<T>(&self, change: impl FnOnce(&mut Book, Instant) -> T) -> T {
        let now = Instant::from_micros(self.shared.clock.micros());
        let mut book = self.lock();
        let result = change(&mut book, now);
        let load = book.load();
        // Under the lock: a later change must not be overwritten by an earlier one.
        self.shared.load.send_if_modified(|known| std::mem::replace(known, load) != load);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn abort_if_running(freed: Freed, execution: &Execution) {
    if freed == Freed::Running {
        execution.abort(Abort::Cancelled);
    }
}

/// Who an execution is.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// Held under a lease.
    Leased(Held),
    /// Bound to its stream: a number of ours, and the task as the client named it.
    Unleased(u64, String),
}

impl Identity {
    fn task(&self) -> String {
        match self {
            Self::Leased(held) => held.task.to_string(),
            Self::Unleased(_, task) => task.clone(),
        }
    }

    fn lease(&self) -> Lease {
        match self {
            Self::Leased(held) => held.lease,
            Self::Unleased(..) => Lease::NONE,
        }
    }
}
