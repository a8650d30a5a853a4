//! `taskfleet dev`: one command, and nothing left behind.

use std::{process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::fleet::{BOUND, Leftovers, Relay};

/// A running `dev` on a free port, whose children carry its mark.
struct Dev {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    leftovers: Leftovers,
    /// Takes what a killed `dev` cannot remove.
    _temporary: TempDir,
}

impl Dev {
    fn start(args: &[&str]) -> Self {
        let (leftovers, temporary) = (Leftovers::new(), TempDir::new().unwrap());
        let mut command = command(args, &leftovers);
        command.stdout(Stdio::piped()).env("TMPDIR", temporary.path());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, leftovers, _temporary: temporary }
    }

    /// Reads on until a line has `words` in it.
    async fn until_said(&mut self, words: &str) {
        let reading = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains(words) {
                    return;
                }
            }
            panic!("dev ended without saying {words:?}");
        };
        tokio::time::timeout(BOUND, reading).await.expect("dev says it in time");
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("dev runs").cast_signed();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.leftovers.kill();
    }
}

fn command(args: &[&str], leftovers: &Leftovers) -> Command {
    let (name, value) = leftovers.variable();
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskfleet"));
    command
        .args(["dev", "--port", "0", "--workers", "2"])
        .args(args)
        .env(name, value)
        .env_remove("OPENAI_API_KEY")
        .env_remove("OPENAI_BASE_URL")
        .kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_with_two_prompts_shows_both_results_and_ends_with_0() {
    let leftovers = Leftovers::new();
    let output = command(&["--exit", "first prompt", "second prompt"], &leftovers).output();
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{talk}");
    for prompt in ["first prompt", "second prompt"] {
        assert!(said.contains(&format!("digest:{}", openai_sim::digest(prompt))), "{said}");
    }
    assert!(talk.contains("answers come from a simulated model"), "{talk}");
    assert!(!said.contains('\x1b'), "control characters in a pipe: {said}");
    assert_eq!(leftovers.living(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_ends_with_1_when_a_task_failed() {
    let leftovers = Leftovers::new();
    let output = command(&["--exit", "no [sim:400]"], &leftovers).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(leftovers.living(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_dev_and_all_its_processes() {
    let mut dev = Dev::start(&["hello"]);
    dev.until_said("The fleet keeps serving").await;
    assert_eq!(dev.leftovers.living().len(), 5, "dev, sim, supervisor, two workers");
    dev.signal(Signal::TERM);
    let status = tokio::time::timeout(Duration::from_secs(6), dev.child.wait()).await;
    assert!(status.expect("dev stops within five seconds").unwrap().success());
    assert_eq!(dev.leftovers.living(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_dev_at_once_though_a_call_hangs() {
    let mut dev = Dev::start(&["never [sim:hang]"]);
    dev.until_said("Submitted 1 task").await;
    dev.signal(Signal::INT);
    tokio::time::sleep(Duration::from_millis(300)).await;
    dev.signal(Signal::INT);
    let status = tokio::time::timeout(Duration::from_secs(2), dev.child.wait()).await;
    status.expect("dev ends at once").unwrap();
    assert_eq!(dev.leftovers.living(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_dev_leaves_no_process_behind() {
    let mut dev = Dev::start(&["hello"]);
    dev.until_said("The fleet keeps serving").await;
    dev.signal(Signal::KILL);
    dev.child.wait().await.unwrap();
    dev.leftovers.until_none(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_dev_leaves_in_the_temporary_directory_is_removed_by_the_next() {
    let temporary = TempDir::new().unwrap();
    let left = || std::fs::read_dir(temporary.path()).unwrap().count();
    let leftovers = Leftovers::new();
    let mut killed = command(&["never [sim:hang]"], &leftovers);
    let mut killed = killed.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).spawn().unwrap();
    crate::fleet::until("it has a store", || async { (left() == 1).then_some(()) }).await;
    // One that is in use is left alone.
    let mut next = command(&["--exit", "hello"], &leftovers);
    assert!(next.env("TMPDIR", temporary.path()).output().await.unwrap().status.success());
    assert_eq!(left(), 1);
    killed.kill().await.unwrap();
    leftovers.until_none(Duration::from_secs(10)).await;
    assert_eq!(left(), 1, "a killed one cannot remove its own");
    let mut next = command(&["--exit", "hello"], &leftovers);
    assert!(next.env("TMPDIR", temporary.path()).output().await.unwrap().status.success());
    assert_eq!(left(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_processes_log_says_who_speaks() {
    let leftovers = Leftovers::new();
    let mut command = command(&["--exit", "hello"], &leftovers);
    let output = command.env("RUST_LOG", "info").output().await.unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    for name in ["supervisor", "worker-1", "worker-2"] {
        let is_said = talk.lines().any(|line| line.starts_with(&format!("{name}  INFO ")));
        assert!(is_said, "{name}: {talk}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_under_dev_is_started_again() {
    let mut dev = Dev::start(&["hello"]);
    dev.until_said("The fleet keeps serving").await;
    let living = dev.leftovers.living();
    let first = living.iter().find(|(_, command)| command.contains(" worker ")).unwrap().0;
    kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
    crate::fleet::until("there are five processes again", || async {
        let living = dev.leftovers.living();
        let changed = living.iter().all(|(pid, _)| *pid != first);
        (changed && living.len() == 5).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_wrong_address_of_the_model_dev_says_which_host_does_not_answer_and_why() {
    let (leftovers, nowhere) = (Leftovers::new(), Relay::nowhere().await);
    let base_url = format!("http://me:pa55@{nowhere}/secret");
    let mut command = command(&["hello"], &leftovers);
    command.env("OPENAI_BASE_URL", &base_url).env("RUST_LOG", "error");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let why = format!("could not connect to the model API at {nowhere}: Connection refused");
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            assert!(!line.contains("pa55") && !line.contains("secret"), "{line}");
            if line.starts_with("[1] ") && line.contains(&why) {
                return;
            }
        }
        panic!("dev ended without saying why nothing happens");
    };
    tokio::time::timeout(BOUND, reading).await.expect("dev says it in time");
    child.kill().await.unwrap();
    leftovers.kill();
}
