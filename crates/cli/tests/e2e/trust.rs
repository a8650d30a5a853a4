//! Keys, tokens, prompts and results stay where they belong, however much is logged.

use taskfleet_proto::v1::{
    GetStatsRequest, GetTaskRequest, HttpRequest, ListWorkersRequest, RegisterRequest, RetryPolicy,
    Task, TaskSpec, TaskState,
};
use walk::files;

use crate::fleet::{Collector, Fleet, Parrot, Plan, until};

/// What must not show. None is part of another or of anything else.
const KEY: &str = "sk-MARKEDKEY0123456789abcdef";
const OWN_KEY: &str = "sk-MARKEDOWN0123456789abcdef";
const TOKEN: &str = "MARKEDTOKEN-join";
const PROMPT: &str = "MARKEDPROMPT";
const INSTRUCTIONS: &str = "MARKEDINSTRUCTIONS";
const PARAMETERS: &str = "MARKEDPARAMETERS";
const BODY: &str = "MARKEDBODY";
const ANSWER: &str = "MARKEDANSWER";
const MARKS: [&str; 8] = [KEY, OWN_KEY, TOKEN, PROMPT, INSTRUCTIONS, PARAMETERS, BODY, ANSWER];

/// Which marks `text` has. A part of the key is found too.
fn marks(text: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> = MARKS.into_iter().filter(|mark| text.contains(mark)).collect();
    for (part, key) in [("MARKEDKEY", KEY), ("MARKEDOWN", OWN_KEY)] {
        if text.contains(part) && !found.contains(&key) {
            found.push(key);
        }
    }
    // A frame that is dumped byte by byte shows as a list of numbers.
    let bytes = |mark: &&str| {
        let numbers: Vec<String> = mark.bytes().map(|byte| byte.to_string()).collect();
        text.contains(&numbers.join(", "))
    };
    found.extend(MARKS.into_iter().filter(bytes));
    found
}

fn nothing_shows(what: &str, text: &str) {
    let found = marks(text);
    let line = text.lines().find(|line| !marks(line).is_empty()).unwrap_or_default();
    assert!(found.is_empty(), "{what} shows {found:?}: {line}");
}

fn prompt(word: &str) -> TaskSpec {
    TaskSpec {
        content: format!("{PROMPT} {word}"),
        instructions: INSTRUCTIONS.into(),
        parameters_json: format!(r#"{{"user": "{PARAMETERS}"}}"#),
        retry: Some(RetryPolicy { max_attempts: Some(1), ..RetryPolicy::default() }),
        ..TaskSpec::default()
    }
}

fn request() -> TaskSpec {
    let body = format!(r#"{{"model": "parrot", "messages": [], "user": "{BODY}"}}"#);
    let request = HttpRequest { endpoint: "/v1/chat/completions".into(), body };
    TaskSpec { request: Some(request), ..TaskSpec::default() }
}

async fn submit(fleet: &Fleet, spec: TaskSpec) -> String {
    fleet.tasks().submit_task(spec).await.unwrap().into_inner().task_id
}

async fn fleet(collector: &Collector, parrot: &Parrot) -> Fleet {
    Plan::new(1)
        .variable("RUST_LOG", "trace")
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .variable("OTEL_BSP_SCHEDULE_DELAY", "100")
        .worker_variable("OPENAI_BASE_URL", parrot.base_url())
        .variable("OPENAI_API_KEY", KEY)
        .supervisor("HAND_OVER_API_KEY", "true")
        .worker_variable("OPENAI_API_KEY", OWN_KEY)
        .supervisor("JOIN_TOKEN", TOKEN)
        .worker_variable("TASKFLEET_WORKER__JOIN_TOKEN", TOKEN)
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_trace_level_no_log_span_status_or_file_name_shows_a_key_a_prompt_or_a_result() {
    let (collector, parrot) = (Collector::start().await, Parrot::start(ANSWER).await);
    let mut fleet = fleet(&collector, &parrot).await;
    let good = submit(&fleet, prompt("say-well")).await;
    let whole = submit(&fleet, request()).await;
    let mut failed = Vec::new();
    for word in ["say-400", "say-401", "say-html", "say-cut", "say-odd"] {
        failed.push(submit(&fleet, prompt(word)).await);
    }
    for id in [&good, &whole] {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Completed, "{:?}", task.result);
    }
    for id in &failed {
        let task = fleet.ended(id).await;
        assert_eq!(task.state(), TaskState::Failed);
        no_key_is_told(&task);
    }
    let handed_over = format!("authorization: bearer {KEY}").to_lowercase();
    assert!(parrot.heads().iter().any(|head| head.contains(&handed_over)), "the key travelled");
    answers_show_nothing(&fleet, &good).await;
    until("spans came", || async { (collector.spans().len() >= 21).then_some(()) }).await;
    fleet.worker(0).terminate();
    fleet.worker(0).ended().await;
    fleet.supervisor().terminate();
    fleet.supervisor().ended().await;
    nothing_shows("a span", &collector.everything());
    for name in ["supervisor", "worker-0", "openai-sim"] {
        nothing_shows(name, &fleet.log(name));
    }
    // Without these lines the search would prove nothing.
    for name in ["supervisor", "worker-0"] {
        let log = fleet.log(name);
        assert!(log.contains(r#""level":"DEBUG""#), "{name} logs everything");
        let below_info = |line: &&str| line.contains("TRACE") || line.contains("DEBUG");
        let ours = |line: &&str| line.contains(r#""target":"taskfleet"#);
        let library = log.lines().filter(below_info).find(|line| !ours(line));
        assert_eq!(library, None, "{name} logs a library's words");
    }
    for file in files(fleet.directory()) {
        nothing_shows("a file's name", &file);
    }
}

/// The words of a failure go to whoever wrote the prompt, and may quote it; the key is not theirs.
fn no_key_is_told(task: &Task) {
    let errors = task.attempts.iter().map(|attempt| attempt.error.clone());
    let result = task.result.iter().map(|result| result.error.clone());
    for told in errors.chain(result) {
        let shown = marks(&told);
        let secrets = [KEY, OWN_KEY, TOKEN];
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{told}");
    }
}

async fn answers_show_nothing(fleet: &Fleet, good: &str) {
    let task = fleet.get(good).await;
    assert_eq!(task.result.unwrap().text, ANSWER, "the client gets its answer");
    let workers = fleet.fleet().list_workers(ListWorkersRequest {}).await.unwrap().into_inner();
    nothing_shows("ListWorkers", &format!("{workers:?}"));
    let stats = fleet.fleet().get_stats(GetStatsRequest {}).await.unwrap().into_inner();
    nothing_shows("GetStats", &format!("{stats:?}"));
    let stranger = RegisterRequest {
        name: "stranger".into(),
        join_token: format!("{TOKEN}-wrong"),
        ..RegisterRequest::default()
    };
    let status = fleet.registry().register(stranger).await.unwrap_err();
    nothing_shows("a status", &format!("{status:?}"));
    let refused = [
        fleet.tasks().submit_task(TaskSpec { priority: 1_000, ..prompt("") }).await.err(),
        fleet
            .tasks()
            .submit_task(TaskSpec { parameters_json: format!("{{{PARAMETERS}"), ..prompt("") })
            .await
            .err(),
        fleet.tasks().submit_task(TaskSpec { content: PROMPT.into(), ..request() }).await.err(),
    ];
    for status in refused {
        nothing_shows("a status", &format!("{:?}", status.expect("is refused")));
    }
    let unknown = GetTaskRequest { task_id: PROMPT.into() };
    let status = fleet.tasks().get_task(unknown).await.unwrap_err();
    nothing_shows("a status", &format!("{status:?}"));
}

mod walk {
    //! The names of all files below a directory.

    use std::{fs, path::Path};

    pub(super) fn files(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let names = entries.flat_map(|path| {
            let below = if path.is_dir() { files(&path) } else { Vec::new() };
            below.into_iter().chain([path.display().to_string()])
        });
        names.collect()
    }
}
