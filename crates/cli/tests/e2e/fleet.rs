//! A fleet of real processes for one test: a simulated API, a supervisor, workers.
//!
//! ```ignore
//! let mut fleet = Fleet::start(2).await;
//! let id = fleet.submit("hello [sim:ok,deltas=50,delay=20]").await;
//! fleet.supervisor().kill();
//! fleet.supervisor().restart().await;
//! assert_eq!(fleet.ended(&id).await.state(), TaskState::Completed);
//! assert_eq!(fleet.calls().await.total, 1);
//! ```
//!
//! The store lies in a temporary directory, every address is its process's own and kept over
//! restarts, and each process logs into a file there. Dropping the fleet kills every process and
//! fails the test when one is left behind that it did not start itself.

mod calls;
mod collector;
mod leftovers;
#[path = "../shared/loopback.rs"]
mod loopback;
mod parrot;
mod plan;
mod process;
mod relay;
mod wait;

use std::process::Output;

use taskfleet_proto::v1::{
    BackupStoreRequest, GetTaskRequest, ListWorkersRequest, Task, TaskSpec, TaskState, Worker,
    WorkerState, fleet_service_client::FleetServiceClient, task_service_client::TaskServiceClient,
    worker_registry_client::WorkerRegistryClient,
};
use taskfleet_runtime::transport::MAX_MESSAGE_BYTES;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

pub(crate) use calls::Calls;
pub(crate) use collector::{Collector, Sent};
pub(crate) use leftovers::Leftovers;
pub(crate) use parrot::Parrot;
pub(crate) use plan::Plan;
pub(crate) use process::Process;
pub(crate) use relay::Relay;
pub(crate) use wait::{BOUND, until, until_within};

/// The running fleet.
pub(crate) struct Fleet {
    // Dropped in this order: processes first, so that their ends are seen by those they know.
    workers: Vec<Process>,
    published: Vec<Process>,
    supervisor: Process,
    sim: Process,
    leftovers: Leftovers,
    plan: Plan,
    dir: TempDir,
}

impl Fleet {
    /// A fleet of so many workers over a simulated API that answers at once; all are ready.
    pub(crate) async fn start(workers: usize) -> Self {
        Plan::new(workers).start().await
    }

    /// The supervisor's process.
    pub(crate) fn supervisor(&mut self) -> &mut Process {
        &mut self.supervisor
    }

    /// The supervisor's process and those of the workers, to be struck side by side.
    #[allow(dead_code, reason = "the chaos run's, which shares this fleet")]
    pub(crate) fn processes(&mut self) -> (&mut Process, &mut [Process]) {
        (&mut self.supervisor, &mut self.workers)
    }

    /// From its next start on the supervisor has the file of this name as its store; at first
    /// it has `taskfleet.db`.
    pub(crate) fn mount(&mut self, store: &str) {
        let path = self.dir.path().join(store).display().to_string();
        self.supervisor.set_variable(plan::STORE_VARIABLE, &path);
    }

    /// Copies the store into a file of this name, while the supervisor goes on.
    pub(crate) async fn back_up(&self, store: &str) {
        let path = self.dir.path().join(store).display().to_string();
        self.fleet().backup_store(BackupStoreRequest { path }).await.unwrap();
    }

    /// A second supervisor, on another port, with the file of this name as its store; its log is
    /// that of `beside`.
    pub(crate) async fn start_beside(&self, store: &str) -> Process {
        let sim = self.sim.address();
        let mut spec = self.plan.supervisor_spec(sim, &self.dir, &self.leftovers);
        let path = self.dir.path().join(store).display().to_string();
        spec.env.push((plan::STORE_VARIABLE.to_owned(), path));
        spec.log = self.dir.path().join("beside.log");
        Process::start(spec).await
    }

    /// The process of worker `index`, from 0; it is called `worker-{index}`.
    pub(crate) fn worker(&mut self, index: usize) -> &mut Process {
        &mut self.workers[index]
    }

    /// The process of a worker that knows the published messages only, from 0; its log is
    /// that of `published-{index}`.
    pub(crate) fn published(&mut self, index: usize) -> &mut Process {
        &mut self.published[index]
    }

    /// Starts one more of them, which nobody has told the supervisor of; its index.
    pub(crate) async fn add_published(&mut self) -> usize {
        let index = self.published.len();
        let spec = self.plan.published_spec(index, &self.dir, &self.leftovers);
        self.published.push(Process::start(spec).await);
        index
    }

    /// The index of the worker that has this name in the fleet.
    pub(crate) fn index_of(&self, name: &str) -> usize {
        self.workers.iter().position(|worker| worker.name() == name).expect("a worker of ours")
    }

    /// A client of the supervisor's `WorkerRegistry`, as a worker has it.
    pub(crate) fn registry(&self) -> WorkerRegistryClient<Channel> {
        WorkerRegistryClient::new(self.channel())
    }

    /// The simulated API's process.
    pub(crate) fn sim(&mut self) -> &mut Process {
        &mut self.sim
    }

    /// Starts one more worker; its index.
    pub(crate) async fn add_worker(&mut self) -> usize {
        self.add_worker_with(&[]).await
    }

    /// Starts one more worker with variables of its own; its index.
    pub(crate) async fn add_worker_with(&mut self, variables: &[(&str, &str)]) -> usize {
        let index = self.workers.len();
        let (supervisor, sim) = (self.supervisor.address(), self.sim.address());
        let mut spec = self.plan.worker(index, supervisor, sim, &self.dir, &self.leftovers);
        let own = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        spec.env.extend(own);
        self.workers.push(Process::start(spec).await);
        index
    }

    /// A client of the supervisor's `TaskService`. It connects when it is used, anew each time
    /// that the supervisor was restarted.
    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// A client of the supervisor's `FleetService`.
    pub(crate) fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.channel())
    }

    fn channel(&self) -> Channel {
        let uri = format!("http://{}", self.supervisor.address());
        Endpoint::from_shared(uri).unwrap().connect_lazy()
    }

    /// Submits a prompt; the task's id.
    pub(crate) async fn submit(&self, content: &str) -> String {
        let spec = TaskSpec { content: content.to_owned(), ..TaskSpec::default() };
        self.tasks().submit_task(spec).await.unwrap().into_inner().task_id
    }

    /// The task as it stands.
    pub(crate) async fn get(&self, task_id: &str) -> Task {
        let request = GetTaskRequest { task_id: task_id.to_owned() };
        self.tasks().get_task(request).await.unwrap().into_inner().task.unwrap()
    }

    /// Waits until the task is in `state`; also while the supervisor is away.
    pub(crate) async fn until_state(&self, task_id: &str, state: TaskState) -> Task {
        let what = format!("task {task_id} is {}", state.as_str_name());
        until(&what, || self.try_get(task_id, move |task| task.state() == state)).await
    }

    /// Waits until the task has ended; also while the supervisor is away.
    pub(crate) async fn ended(&self, task_id: &str) -> Task {
        let what = format!("task {task_id} has ended");
        until(&what, || self.try_get(task_id, |task| task.finished_at.is_some())).await
    }

    async fn try_get(&self, task_id: &str, wanted: impl Fn(&Task) -> bool) -> Option<Task> {
        let request = GetTaskRequest { task_id: task_id.to_owned() };
        let answer = self.tasks().get_task(request).await.ok()?;
        answer.into_inner().task.filter(wanted)
    }

    /// The workers as the supervisor sees them; none while it is away.
    pub(crate) async fn workers(&self) -> Vec<Worker> {
        let answer = self.fleet().list_workers(ListWorkersRequest {}).await;
        answer.map_or_else(|_| Vec::new(), |answer| answer.into_inner().workers)
    }

    /// Waits until exactly `count` workers are ready.
    pub(crate) async fn until_ready(&self, count: usize) {
        until(&format!("{count} workers are ready"), || async {
            let workers = self.workers().await;
            let ready = workers.iter().filter(|worker| worker.state() == WorkerState::Ready);
            (ready.count() == count).then_some(())
        })
        .await;
    }

    /// What the simulated API was called for.
    pub(crate) async fn calls(&self) -> Calls {
        Calls::read(self.sim.address()).await
    }

    /// Runs a command of the CLI against this fleet, to its end.
    pub(crate) async fn taskfleet(&self, args: &[&str]) -> Output {
        self.command(args).output().await.unwrap()
    }

    /// A command of the CLI against this fleet, for a test that spawns it itself. It dies with
    /// its handle.
    pub(crate) fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskfleet"));
        command.args(args).env("TASKFLEET_ADDRESS", self.supervisor.address()).kill_on_drop(true);
        command
    }

    /// The processes of this fleet that live and are workers.
    pub(crate) fn worker_processes(&self) -> Vec<i32> {
        let living = self.leftovers.living().into_iter();
        living.filter(|(_, command)| command.contains(" worker")).map(|(pid, _)| pid).collect()
    }

    /// What a process has logged so far: "supervisor", "openai-sim", "worker-0" ….
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// What a process tells over HTTP: the status and the text.
    pub(crate) async fn http(&self, name: &str, path: &str) -> (u16, String) {
        let log = self.log(name);
        // Of a process that was started again the last line counts.
        let told = log.rsplit_once("\"http\":\"").expect("it logs where it tells of itself").1;
        let address = told.split('"').next().unwrap();
        // Refused when there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Where everything that the fleet writes lies.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.dir.path()
    }

    fn show_logs(&self) {
        let workers = self.workers.iter().chain(&self.published);
        let names = workers.chain([&self.supervisor, &self.sim]).map(Process::name);
        for name in names {
            eprintln!("--- {name}\n{}", self.log(name));
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let workers = self.workers.iter_mut().chain(&mut self.published);
        for process in workers.chain([&mut self.supervisor, &mut self.sim]) {
            process.kill();
        }
        let mut left = self.leftovers.kill();
        // They are to outlive the supervisor.
        left.retain(|_| !self.plan.has_local_workers());
        if std::thread::panicking() {
            self.show_logs();
        } else {
            assert!(left.is_empty(), "processes were left behind: {left:?}");
        }
    }
}
