use super::*;

fn task(line: &str) -> TaskSpec {
    read(line, &TaskSpec::default()).unwrap()
}

fn errors(line: &str) -> Vec<String> {
    let errors = read(line, &TaskSpec::default()).unwrap_err();
    errors.iter().map(|error| format!("{} {}", error.field, error.problem)).collect()
}

#[test]
fn a_line_may_say_all_that_a_task_has() {
    let task = task(
        r#"{"id": "a", "content": "hi", "model": "m", "instructions": "i", "priority": -3,
            "parameters": {"temperature": 0.10}, "labels": {"k": "v"}, "timeout": "90s",
            "deadline": "2h", "max_attempts": 5}"#,
    );
    assert_eq!((task.client_ref.as_str(), task.content.as_str()), ("a", "hi"));
    assert_eq!((task.model.as_str(), task.instructions.as_str(), task.priority), ("m", "i", -3));
    assert_eq!(task.parameters_json, r#"{"temperature": 0.10}"#);
    assert_eq!(task.labels["k"], "v");
    assert_eq!(task.attempt_timeout.map(|time| time.seconds), Some(90));
    assert_eq!(task.deadline.map(|time| time.seconds), Some(7_200));
    assert_eq!(task.retry.and_then(|retry| retry.max_attempts), Some(5));
}

#[test]
fn what_a_line_says_goes_before_what_the_command_says() {
    let base = TaskSpec {
        model: "base".into(),
        priority: 7,
        labels: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "1".to_owned())].into(),
        ..TaskSpec::default()
    };
    let task = read(r#"{"prompt": "hi", "model": "own", "labels": {"b": "2"}}"#, &base).unwrap();
    assert_eq!((task.model.as_str(), task.priority), ("own", 7));
    assert_eq!((task.labels["a"].as_str(), task.labels["b"].as_str()), ("1", "2"));
}

#[test]
fn a_line_of_the_openai_batch_api_is_a_request_whose_body_goes_out_as_it_stands() {
    let body = r#"{"model":"m",  "n": 1.0, "messages":[]}"#;
    let line = format!(
        r#"{{"custom_id":"r-1","method":"POST","url":"/v1/chat/completions","body":{body}}}"#
    );
    let task = task(&line);
    let request = task.request.unwrap();
    assert_eq!(task.client_ref, "r-1");
    assert_eq!((request.endpoint.as_str(), request.body.as_str()), ("/v1/chat/completions", body));
}

#[test]
fn a_number_is_an_id_too() {
    assert_eq!(task(r#"{"id": 17, "content": "x"}"#).client_ref, "17");
}

#[test]
fn every_wrong_field_is_named_and_no_value_is_shown() {
    let line = r#"{"id": "", "content": ["secret"], "labels": {"a": 1}, "timeout": "secret",
        "priority": "secret", "method": "GET", "endpoint": "/v1/responses"}"#;
    let errors = errors(line);
    let fields: Vec<&str> = errors.iter().filter_map(|error| error.split(' ').next()).collect();
    assert_eq!(fields, ["id", "content", "method", "body", "priority", "labels", "timeout"]);
    assert!(!errors.concat().contains("secret"), "{errors:?}");
}

#[test]
fn lines_that_are_no_tasks_are_told_apart() {
    assert_eq!(
        errors("[1]"),
        ["the line is a JSON array: one object a line is wanted, without commas"]
    );
    assert_eq!(errors("\"secret\""), ["the line is not a JSON object"]);
    assert_eq!(errors(r#"{"content": "a"#), ["the line is not valid JSON (column 14)"]);
    let unknown = &errors(r#"{"promt": "secret"}"#)[0];
    assert!(unknown.starts_with("the line has an unknown field `promt`, expected"), "{unknown}");
    assert!(!unknown.contains("secret"));
    let twice = errors(r#"{"content": "secret", "content": "b"}"#);
    assert_eq!(twice, ["the line has a duplicate field `content`"]);
}
