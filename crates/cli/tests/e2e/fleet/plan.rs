//! What a fleet is started with.

use tempfile::TempDir;

use super::{
    Fleet, Leftovers, Process,
    process::{Listen, Spec},
};

/// How many workers, and every setting that is not the default.
#[derive(Clone)]
pub(crate) struct Plan {
    workers: usize,
    sim: Vec<String>,
    supervisor_env: Vec<(String, String)>,
    worker_env: Vec<(String, String)>,
}

impl Plan {
    /// So many workers and nothing special.
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, sim: Vec::new(), supervisor_env: Vec::new(), worker_env: Vec::new() }
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

    /// A variable of every worker's environment, such as `("TASKFLEET_WORKER__SLOTS", "1")`.
    pub(crate) fn worker_variable(mut self, key: &str, value: &str) -> Self {
        self.worker_env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts the fleet and waits until every worker is ready.
    pub(crate) async fn start(self) -> Fleet {
        let (dir, leftovers) = (TempDir::new().unwrap(), Leftovers::new());
        let sim = Process::start(self.sim_spec(&dir, &leftovers)).await;
        let supervisor = Process::start(self.supervisor_spec(&dir, &leftovers)).await;
        let workers = self.workers;
        let mut fleet = Fleet { workers: Vec::new(), supervisor, sim, leftovers, plan: self, dir };
        for _ in 0..workers {
            fleet.add_worker().await;
        }
        fleet.until_ready(workers).await;
        fleet
    }

    fn sim_spec(&self, dir: &TempDir, leftovers: &Leftovers) -> Spec {
        let mut args = vec!["openai-sim".to_owned()];
        args.extend(self.sim.clone());
        Spec {
            name: "openai-sim".into(),
            args,
            env: vec![leftovers.variable()],
            listen: Listen::Flag("--listen"),
            log: dir.path().join("openai-sim.log"),
        }
    }

    fn supervisor_spec(&self, dir: &TempDir, leftovers: &Leftovers) -> Spec {
        let store = dir.path().join("taskfleet.db").display().to_string();
        let mut env = vec![leftovers.variable(), info()];
        env.push(("TASKFLEET_SUPERVISOR__STORE".into(), store));
        env.extend(self.supervisor_env.clone());
        Spec {
            name: "supervisor".into(),
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
        env.push(("OPENAI_API_KEY".into(), "none".into()));
        env.push(("OPENAI_BASE_URL".into(), format!("http://{sim}/v1")));
        env.push(("OPENAI_MODEL".into(), "simulated".into()));
        env.extend(self.worker_env.clone());
        Spec {
            log: dir.path().join(format!("{name}.log")),
            name,
            args: vec!["worker".into()],
            env,
            listen: Listen::Variable("TASKFLEET_WORKER__GRPC_LISTEN"),
        }
    }
}

/// Whatever RUST_LOG the developer has set, a failed test shows what the services logged.
fn info() -> (String, String) {
    ("RUST_LOG".into(), "info".into())
}
