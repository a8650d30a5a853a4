//! `.env.example` is what operators read: it is complete and true.

use std::{
    collections::HashMap,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use taskfleet_runtime::{
    settings::{self, Number, OWN_VARIABLES, Section, fields, load_from},
    telemetry,
};
use taskfleet_worker::ApiSettings;

/// One variable of the example, and what is said of it.
struct Line {
    name: String,
    value: String,
    comment: String,
}

/// A file at the top of the repository.
pub(crate) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn top(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

fn example() -> Vec<Line> {
    let (mut lines, mut comment) = (Vec::new(), String::new());
    for line in top(".env.example").lines() {
        let assignment = line.strip_prefix('#').unwrap_or(line).split_once('=');
        let assignment = assignment.filter(|(name, _)| !name.contains(' ') && !name.is_empty());
        if let Some((name, value)) = assignment {
            let comment = std::mem::take(&mut comment);
            lines.push(Line { name: name.into(), value: value.into(), comment });
        } else if let Some(words) = line.strip_prefix("# ") {
            comment = format!("{comment} {words}");
        } else {
            comment.clear();
        }
    }
    lines
}

fn variable<T: Section>(key: &str) -> String {
    format!("TASKFLEET_{}__{}", T::NAME.to_uppercase(), key.to_uppercase())
}

/// What the service reads when only this is set.
fn with<T: Section>(key: &str, value: &str) -> Result<T, String> {
    let variables = HashMap::from([(variable::<T>(key), value.to_owned())]);
    load_from(None, variables.into_iter().collect()).map_err(|error| error.to_string())
}

fn line_of<'a>(lines: &'a [Line], name: &str) -> &'a Line {
    let found: Vec<&Line> = lines.iter().filter(|line| line.name == name).collect();
    let [line] = found[..] else {
        panic!(
            "{name} stands {} times in .env.example; add it once: a comment that says what it is, \
             with unit and range, then #{name}= and its built-in value",
            found.len()
        )
    };
    assert!(!line.comment.trim().is_empty(), "say above {name} in .env.example what it is");
    line
}

fn every_setting_is_there<T: Section + Debug>() {
    let lines = example();
    let unset = format!("{:?}", T::default());
    for key in fields::<T>() {
        let line = line_of(&lines, &variable::<T>(key));
        // A `Duration` that is set in seconds needs no unit in its own name.
        let field = key.strip_suffix("_seconds").unwrap_or(key);
        let is_unset =
            ["None", "\"\"", "[]"].map(|none| unset.contains(&format!("{field}: {none}")));
        assert!(
            !line.value.is_empty() || is_unset.contains(&true),
            "{key} has a built-in value: write it behind {}= in .env.example",
            line.name
        );
    }
}

fn every_number_has_its_range<T: Section>() {
    let lines = example();
    let numbers = T::default().numbers();
    for key in fields::<T>() {
        let is_number = with::<T>(key, "one").is_err()
            && with::<T>(key, "7").map_or_else(|error| error.contains("must be from"), |_| true);
        let range = numbers.iter().find(|number| number.key() == *key);
        match range.map(Number::words) {
            Some(words) => {
                let comment = &line_of(&lines, &variable::<T>(key)).comment;
                assert!(comment.contains(&words), "say above {key} in .env.example: {words}");
            }
            None => assert!(!is_number, "{key} is a number: add its range to numbers()"),
        }
    }
}

fn loads_as_built_in<T: Section + Debug>() {
    let lines = example().into_iter().map(|line| (line.name, line.value));
    let loaded: T = load_from(None, lines.collect()).unwrap();
    assert_eq!(format!("{loaded:#?}"), format!("{:#?}", T::default()));
}

fn out_of_range_is_told<T: Section>() {
    for number in T::default().numbers() {
        let (least, most) = (number.range().start(), number.range().end());
        for wrong in [least - 1.0, most + 1.0, -1.0] {
            let told = with::<T>(number.key(), &wrong.to_string()).err().unwrap_or_default();
            for part in [number.key(), &wrong.to_string(), &number.words()] {
                assert!(told.contains(part), "{} = {wrong}: {told}", number.key());
            }
        }
    }
}

fn a_name_is_no_place_to_listen_at<T: Section + Debug>() {
    let told = with::<T>("grpc_listen", "localhost:50051").map(|_| ()).unwrap_err();
    for part in ["grpc_listen", "localhost:50051", "IP:port", "127.0.0.1:50051"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

fn secrets_are_not_shown<T: Section + Debug>() {
    let secret =
        |key: &&&str| ["token", "secret", "password"].iter().any(|word| key.contains(word));
    for key in fields::<T>().iter().filter(secret) {
        let shown = with::<T>(key, "hunter2").map_or_else(|error| error, |own| format!("{own:?}"));
        assert!(!shown.contains("hunter2"), "{key} shows its value: {shown}");
    }
}

macro_rules! of_both_services {
    ($($name:ident: $check:ident;)*) => {
        $(#[test]
        fn $name() {
            $check::<taskfleet_supervisor::Settings>();
            $check::<taskfleet_worker::Settings>();
        })*
    };
}

of_both_services! {
    every_setting_stands_in_the_example_once: every_setting_is_there;
    every_number_stands_there_with_its_unit_and_range: every_number_has_its_range;
    the_example_loads_as_the_built_in_values: loads_as_built_in;
    a_number_out_of_its_range_is_told_with_key_value_and_range: out_of_range_is_told;
    a_listen_address_that_is_a_name_is_told_what_would_be_right: a_name_is_no_place_to_listen_at;
    tokens_do_not_show_in_debug: secrets_are_not_shown;
}

#[test]
fn nothing_stands_in_the_example_that_nobody_reads() {
    let lines = example();
    let mut known: Vec<String> = OWN_VARIABLES.map(str::to_owned).to_vec();
    known.push("RUST_LOG".into());
    known.extend(ApiSettings::VARIABLES.map(str::to_owned));
    known.extend(telemetry::VARIABLES.map(str::to_owned));
    for name in &known {
        line_of(&lines, name);
    }
    let of_supervisor = fields::<taskfleet_supervisor::Settings>().iter();
    known.extend(of_supervisor.map(|key| variable::<taskfleet_supervisor::Settings>(key)));
    let of_worker = fields::<taskfleet_worker::Settings>().iter();
    known.extend(of_worker.map(|key| variable::<taskfleet_worker::Settings>(key)));
    let unknown = lines.iter().filter(|line| !known.contains(&line.name));
    let unknown: Vec<&str> = unknown.map(|line| line.name.as_str()).collect();
    assert!(unknown.is_empty(), "in .env.example, and nobody reads them: {unknown:?}");
    let api = ApiSettings::default();
    assert_eq!(line_of(&lines, "OPENAI_BASE_URL").value, api.base_url);
    assert_eq!(line_of(&lines, "OPENAI_MODEL").value, api.model);
}

#[test]
fn the_file_in_the_documentation_loads() {
    let text = top("docs/configuration.md");
    let toml = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("taskfleet.toml");
    fs::write(&path, toml).unwrap();
    let none = HashMap::new();
    let worker: taskfleet_worker::Settings =
        load_from(Some(&path), none.clone().into_iter().collect()).unwrap();
    assert_eq!((worker.slots, worker.models.len()), (200, 2));
    let supervisor: taskfleet_supervisor::Settings =
        load_from(Some(&path), none.into_iter().collect()).unwrap();
    settings::check(&supervisor).unwrap();
    assert_eq!(supervisor.grpc_listen.port(), 50_051);
}
