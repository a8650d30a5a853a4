//! The supervisor's key, handed over to workers, or not.

use std::process::Stdio;

use taskfleet_core::account::{account, provider};
use taskfleet_proto::v1::TaskState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    sync::mpsc,
    task::JoinSet,
};

use crate::fleet::{BOUND, Fleet, Plan};

const OURS: &str = "sk-of-the-supervisor-4711";
const THEIRS: &str = "sk-of-the-worker-0815";

/// A model API that refuses every call and tells with which key it came.
struct Doorman {
    address: String,
    keys: mpsc::Receiver<String>,
    _serving: JoinSet<()>,
}

impl Doorman {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (told, keys) = mpsc::channel(100);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap() == 0 {
                        break;
                    }
                }
                told.send(bearer(&String::from_utf8_lossy(&head))).await.unwrap();
                let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\
                              connection: close\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, keys, _serving: serving }
    }
}

fn bearer(head: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    found.next().map(|(_, value)| value.replace("Bearer ", "")).unwrap_or_default()
}

/// A fleet of one worker that has a key of its own, before such an API.
async fn fleet_at(api: &Doorman, plan: Plan) -> Fleet {
    let base_url = format!("http://{}/v1", api.address);
    let plan = plan.supervisor_variable("OPENAI_API_KEY", OURS);
    let plan = plan.worker_variable("OPENAI_API_KEY", THEIRS);
    plan.worker_variable("OPENAI_BASE_URL", &base_url).start().await
}

async fn call(fleet: &Fleet, api: &mut Doorman) -> String {
    let id = fleet.submit("hello").await;
    assert_eq!(fleet.ended(&id).await.state(), TaskState::Failed);
    api.keys.recv().await.unwrap()
}

fn assert_secret(fleet: &Fleet) {
    for process in ["supervisor", "worker-0"] {
        let log = fleet.log(process);
        assert!(!log.contains(OURS) && !log.contains(THEIRS), "{process} logs a key");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_the_join_token_calls_with_the_key_that_is_handed_over() {
    let mut api = Doorman::start().await;
    let plan = Plan::new(1).supervisor("JOIN_TOKEN", "t-1").supervisor("HAND_OVER_API_KEY", "true");
    let plan = plan.worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", "t-1");
    let fleet = fleet_at(&api, plan).await;
    assert_eq!(call(&fleet, &mut api).await, OURS);
    let spent = account(&provider(&format!("http://{}/v1", api.address)), Some(OURS));
    assert_eq!(fleet.workers().await[0].account, spent);
    assert_secret(&fleet);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_handed_over_unless_that_is_asked_for() {
    let mut api = Doorman::start().await;
    let plan = Plan::new(1).supervisor("JOIN_TOKEN", "t-1");
    let plan = plan.worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", "t-1");
    let fleet = fleet_at(&api, plan).await;
    assert_eq!(call(&fleet, &mut api).await, THEIRS);
    let spent = account(&provider(&format!("http://{}/v1", api.address)), Some(THEIRS));
    assert_eq!(fleet.workers().await[0].account, spent);
    assert_secret(&fleet);
}

#[tokio::test]
async fn handing_the_key_over_to_whoever_comes_is_refused_at_the_start() {
    let cases = [
        (vec![("TASKFLEET_SUPERVISOR__JOIN_TOKEN", "")], "join_token is not set"),
        (
            vec![("TASKFLEET_SUPERVISOR__JOIN_TOKEN", "t-1"), ("OPENAI_API_KEY", "")],
            "OPENAI_API_KEY is not set",
        ),
    ];
    for (variables, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskfleet"));
        command.arg("supervisor").current_dir(dir.path()).stdin(Stdio::null()).kill_on_drop(true);
        command.env("TASKFLEET_SUPERVISOR__GRPC_LISTEN", "127.0.0.1:0");
        command.env("TASKFLEET_SUPERVISOR__HTTP_LISTEN", "127.0.0.1:0");
        command.env("TASKFLEET_SUPERVISOR__HAND_OVER_API_KEY", "true").env("OPENAI_API_KEY", OURS);
        command.envs(variables);
        let output = tokio::time::timeout(BOUND, command.output()).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(words) && !told.contains(OURS), "{told}");
    }
}
