//! What a fleet is started with.

use tempfile::TempDir;

use super::{
    Fleet, Leftovers, Process,
    process::{Listen, Program, Spec},
};

/// The store's file, and the setting that names it.
pub(super) const STORE: &str = "taskfleet.db";
pub(super) const STORE_VARIABLE: &str = "TASKFLEET_SUPERVISOR__STORE";

const ANY_PORT: &str = "127.0.0.1:0";

/// How many workers, and every setting that is not the default.
#[derive(Clone)]
pub(crate) struct Plan {
    workers: usize,
    local_workers: usize,
    /// The slots of each worker that is listed and knows the published messages only.
    listed: Vec<u32>,
    sim: Vec<String>,
    supervisor_env: Vec<(String, String)>,
    worker_env: Vec<(String, String)>,
    pub(super) published_env: Vec<(String, String)>,
}

impl Plan {
    /// So many workers and nothing special.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            local_workers: 0,
            listed: Vec::new(),
            sim: Vec::new(),
            supervisor_env: Vec::new(),
            worker_env: Vec::new(),
            published_env: Vec::new(),
        }
    }

    /// So many workers that the supervisor starts itself. They end with the fleet.
    pub(crate) fn local_workers(mut self, count: usize) -> Self {
        self.local_workers = count;
        self.supervisor("LOCAL_WORKERS", &count.to_string())
    }

    /// Whether the supervisor starts workers itself.
    pub(super) fn has_local_workers(&self) -> bool {
        self.local_workers > 0
    }

    /// Flags of the simulated API, such as `["--delay-ms", "20"]`.
    pub(crate) fn sim(mut self, flags: &[&str]) -> Self {
        self.sim.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// A setting of the supervisor: `("PROBE_MISSES", "2")` is
    /// `TASKFLEET_SUPERVISOR__PROBE_MISSES=2`.
    pub(crate) fn supervisor(mut self, key: &str, value: &str) -> Self {
        self.supervisor_env.push((format!("TASKFLEET_SUPERVISOR__{key}"), value.to_owned()));
        self
    }

    /// A variable of the supervisor's environment that is no setting of ours.
    pub(crate) fn supervisor_variable(mut self, key: &str, value: &str) -> Self {
        self.supervisor_env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A variable of every worker's environment, such as `("TASKFLEET_WORKER__SLOTS", "1")`.
    pub(crate) fn worker_variable(mut self, key: &str, value: &str) -> Self {
        self.worker_env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A variable of the supervisor's and every worker's environment.
    pub(crate) fn variable(mut self, key: &str, value: &str) -> Self {
        self.supervisor_env.push((key.to_owned(), value.to_owned()));
        self.worker_variable(key, value)
    }

    /// A variable of the environment of workers that know the published messages only.
    pub(crate) fn published_variable(mut self, key: &str, value: &str) -> Self {
        self.published_env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// One more worker that knows the published messages only, listed as a static address.
    pub(crate) fn listed(mut self, slots: u32) -> Self {
        self.listed.push(slots);
        self
    }

    /// Starts the fleet and waits until every worker is ready.
    pub(crate) async fn start(mut self) -> Fleet {
        let (dir, leftovers) = (TempDir::new().unwrap(), Leftovers::new());
        let (mut published, mut listed) = (Vec::new(), Vec::new());
        for slots in &self.listed {
            let index = published.len();
            let process = Process::start(self.published_spec(index, &dir, &leftovers)).await;
            listed.push(format!("{}*{slots}", process.address()));
            published.push(process);
        }
        if !listed.is_empty() {
            self = self.supervisor("STATIC_WORKERS", &listed.join(","));
        }
        let sim = Process::start(self.sim_spec(&dir, &leftovers)).await;
        let supervisor =
            Process::start(self.supervisor_spec(sim.address(), &dir, &leftovers)).await;
        let workers = self.workers;
        let ready = workers + self.local_workers + published.len();
        let mut fleet =
            Fleet { workers: Vec::new(), published, supervisor, sim, leftovers, plan: self, dir };
        for _ in 0..workers {
            fleet.add_worker().await;
        }
        fleet.until_ready(ready).await;
        fleet
    }

    fn sim_spec(&self, dir: &TempDir, leftovers: &Leftovers) -> Spec {
        let mut args = vec!["openai-sim".to_owned()];
        args.extend(self.sim.clone());
        Spec {
            name: "openai-sim".into(),
            program: Program::Taskfleet,
            args,
            env: vec![leftovers.variable()],
            listen: Listen::Flag("--listen"),
            log: dir.path().join("openai-sim.log"),
        }
    }

    pub(super) fn supervisor_spec(&self, sim: &str, dir: &TempDir, leftovers: &Leftovers) -> Spec {
        let store = dir.path().join(STORE).display().to_string();
        let mut env = vec![leftovers.variable(), info()];
        env.extend(api(sim));
        env.push((STORE_VARIABLE.into(), store));
        env.push(("TASKFLEET_SUPERVISOR__HTTP_LISTEN".into(), ANY_PORT.into()));
        env.extend(self.supervisor_env.clone());
        Spec {
            name: "supervisor".into(),
            program: Program::Taskfleet,
            args: vec!["supervisor".into()],
            env,
            listen: Listen::Variable("TASKFLEET_SUPERVISOR__GRPC_LISTEN"),
            log: dir.path().join("supervisor.log"),
        }
    }

    pub(super) fn worker(
        &self,
        index: usize,
        supervisor: &str,
        sim: &str,
        dir: &TempDir,
        leftovers: &Leftovers,
    ) -> Spec {
        let name = format!("worker-{index}");
        let mut env = vec![leftovers.variable(), info()];
        env.push(("TASKFLEET_WORKER__SUPERVISOR".into(), supervisor.into()));
        env.push(("TASKFLEET_WORKER__NAME".into(), name.clone()));
        env.push(("TASKFLEET_WORKER__HTTP_LISTEN".into(), ANY_PORT.into()));
        env.extend(api(sim));
        env.extend(self.worker_env.clone());
        Spec {
            log: dir.path().join(format!("{name}.log")),
            name,
            program: Program::Taskfleet,
            args: vec!["worker".into()],
            env,
            listen: Listen::Variable("TASKFLEET_WORKER__GRPC_LISTEN"),
        }
    }

    /// A worker that knows the published messages only; it is called `published-{index}`.
    pub(super) fn published_spec(
        &self,
        index: usize,
        dir: &TempDir,
        leftovers: &Leftovers,
    ) -> Spec {
        let name = format!("published-{index}");
        let test = "published::a_worker_of_another_make";
        let mut env = vec![leftovers.variable()];
        env.extend(self.published_env.clone());
        Spec {
            log: dir.path().join(format!("{name}.log")),
            name,
            program: Program::Published,
            args: ["--exact", test, "--ignored", "--nocapture"].map(str::to_owned).to_vec(),
            env,
            listen: Listen::Variable("PUBLISHED_LISTEN"),
        }
    }
}

/// The simulated API, for workers and for whoever starts them.
fn api(sim: &str) -> [(String, String); 3] {
    [
        ("OPENAI_API_KEY".into(), "none".into()),
        ("OPENAI_BASE_URL".into(), format!("http://{sim}/v1")),
        ("OPENAI_MODEL".into(), "simulated".into()),
    ]
}

/// Whatever RUST_LOG the developer has set, a failed test shows what the services logged.
fn info() -> (String, String) {
    ("RUST_LOG".into(), "info".into())
}
