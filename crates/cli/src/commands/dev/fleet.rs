//! The processes of the fleet: who is started with what, and who stops when.

use std::{path::PathBuf, time::Duration};

use futures::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::{
    child::{Child, Spec},
    keeper::Group,
    model::{Model, is_set},
    screen::Screen,
};

/// How long each part may take to stop: five seconds in all. The workers go first, so that
/// what they hand back still finds its supervisor.
const WORKERS_STOP: Duration = Duration::from_millis(3_000);
const SUPERVISOR_STOP: Duration = Duration::from_millis(1_500);
const SIM_STOP: Duration = Duration::from_millis(500);

const ANY_PORT: &str = "127.0.0.1:0";

/// A simulated answer comes slowly enough to be seen.
const SIM_FLAGS: [&str; 4] = ["--latency-ms", "300", "--delay-ms", "60"];

/// What to start.
#[derive(Debug)]
pub(super) struct Plan {
    /// How many workers.
    pub(super) workers: u16,
    /// Where the supervisor listens; 0: anywhere.
    pub(super) port: u16,
    /// The store's file.
    pub(super) store: PathBuf,
    /// Who answers.
    pub(super) model: Model,
}

/// The running processes. Dropping it kills them all.
pub(super) struct Fleet {
    plan: Plan,
    screen: Screen,
    address: String,
    kill: CancellationToken,
    sim: Group,
    supervisor: Group,
    workers: Group,
}

impl Fleet {
    /// A fleet of which nothing runs yet.
    pub(super) fn new(plan: Plan, screen: Screen) -> Self {
        let kill = CancellationToken::new();
        let group = || Group::new(kill.clone());
        let (sim, supervisor, workers) = (group(), group(), group());
        Self { plan, screen, address: String::new(), sim, supervisor, workers, kill }
    }

    /// Starts everything; returns once every process listens.
    ///
    /// # Errors
    /// When one does not start. The others run on until [`Fleet::stop`].
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let sim = match self.plan.model {
            Model::Simulated => Some(self.start_sim().await?),
            Model::Keyless | Model::Configured => None,
        };
        self.start_supervisor().await?;
        self.start_workers(sim.as_deref()).await
    }

    /// Where the supervisor listens, host:port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Kills everything at once, also while it stops.
    pub(super) fn kill_switch(&self) -> CancellationToken {
        self.kill.clone()
    }

    /// Stops everything, in order and in bounded time.
    pub(super) async fn stop(&mut self) {
        self.workers.stop(WORKERS_STOP).await;
        self.supervisor.stop(SUPERVISOR_STOP).await;
        self.sim.stop(SIM_STOP).await;
    }

    async fn start_sim(&mut self) -> anyhow::Result<String> {
        let spec = |listen: &str| {
            let mut args = vec!["openai-sim".to_owned(), "--listen".to_owned(), listen.to_owned()];
            args.extend(SIM_FLAGS.map(str::to_owned));
            Spec { name: "openai-sim".to_owned(), args, env: quiet() }
        };
        let child = spec(ANY_PORT).start(&self.screen).await?;
        let address = child.address().to_owned();
        // Started again it listens where the workers know it.
        self.sim.keep(spec(&address), child, self.screen.clone());
        Ok(address)
    }

    async fn start_supervisor(&mut self) -> anyhow::Result<()> {
        let store = self.plan.store.display().to_string();
        let spec = |listen: String| {
            let mut env = quiet();
            env.push(("TASKFLEET_SUPERVISOR__GRPC_LISTEN", listen));
            env.push(("TASKFLEET_SUPERVISOR__HTTP_LISTEN", ANY_PORT.to_owned()));
            env.push(("TASKFLEET_SUPERVISOR__STORE", store.clone()));
            let args = vec!["supervisor".to_owned()];
            Spec { name: "supervisor".to_owned(), args, env }
        };
        let child = spec(format!("127.0.0.1:{}", self.plan.port)).start(&self.screen).await?;
        self.address = child.address().to_owned();
        let again = spec(self.address.clone());
        self.supervisor.keep(again, child, self.screen.clone());
        Ok(())
    }

    async fn start_workers(&mut self, sim: Option<&str>) -> anyhow::Result<()> {
        let specs = (1..=self.plan.workers).map(|number| self.worker(number, sim));
        let started = specs.map(|spec| async {
            let child = spec.start(&self.screen).await?;
            anyhow::Ok((spec, child))
        });
        let started: Vec<(Spec, Child)> = try_join_all(started).await?;
        for (spec, child) in started {
            self.workers.keep(spec, child, self.screen.clone());
        }
        Ok(())
    }

    fn worker(&self, number: u16, sim: Option<&str>) -> Spec {
        let name = format!("worker-{number}");
        let mut env = quiet();
        env.push(("TASKFLEET_WORKER__GRPC_LISTEN", ANY_PORT.to_owned()));
        env.push(("TASKFLEET_WORKER__HTTP_LISTEN", ANY_PORT.to_owned()));
        env.push(("TASKFLEET_WORKER__SUPERVISOR", self.address.clone()));
        env.push(("TASKFLEET_WORKER__NAME", name.clone()));
        env.extend(self.plan.model.variables(sim));
        Spec { name, args: vec!["worker".to_owned()], env }
    }
}

/// The services say only what is wrong, unless asked for more.
fn quiet() -> Vec<(&'static str, String)> {
    if is_set("RUST_LOG") { Vec::new() } else { vec![("RUST_LOG", "warn".to_owned())] }
}
