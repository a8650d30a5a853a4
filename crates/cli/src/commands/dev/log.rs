//! What the processes of the fleet log, on one terminal: each line says who speaks.

use console::style;
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStderr,
};

use super::screen::Screen;
use crate::output::printable;

/// Shows what `name` writes to its standard error, to its end.
pub(super) async fn show(name: String, stderr: ChildStderr, screen: Screen) {
    let mut lines = BufReader::new(stderr).lines();
    loop {
        match lines.next_line().await {
            Ok(Some(line)) => {
                let name = style(&name).dim().for_stderr();
                screen.talk(&format!("{name}  {}", printable(&in_words(&line))));
            }
            Ok(None) => return,
            // Not text; the rest may be.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {}
            Err(_) => return,
        }
    }
}

/// A service that writes to a pipe logs JSON: "WARN the connection broke worker=worker-1".
/// Anything else is shown as it is.
fn in_words(line: &str) -> String {
    let Ok(event) = serde_json::from_str::<Map<String, Value>>(line) else {
        return line.to_owned();
    };
    let Some(fields) = event.get("fields").and_then(Value::as_object) else {
        return line.to_owned();
    };
    let level = event.get("level").and_then(Value::as_str).unwrap_or_default();
    let message = fields.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut words = format!("{level} {message}");
    for (name, value) in fields.iter().filter(|(name, _)| *name != "message") {
        match value {
            Value::String(text) => words.push_str(&format!(" {name}={text}")),
            other => words.push_str(&format!(" {name}={other}")),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_event_is_a_line_of_words() {
        let line = r#"{"timestamp":"t","level":"WARN","fields":{"message":"it broke","worker":"a","misses":3},"target":"x"}"#;
        assert_eq!(in_words(line), "WARN it broke misses=3 worker=a");
        assert_eq!(in_words("thread 'main' panicked"), "thread 'main' panicked");
        assert_eq!(in_words("{}"), "{}");
    }
}
