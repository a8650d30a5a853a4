use std::io::Write;

use serde::Deserialize;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    slots: u32,
    token: String,
    on: bool,
}

impl Section for Own {
    const NAME: &'static str = "worker";

    fn numbers(&self) -> Vec<Number> {
        vec![Number::whole("slots", self.slots.into(), 0..=10, "calls")]
    }
}

fn read(file: &str, variables: &[(&str, &str)]) -> Result<Own, String> {
    let mut path = tempfile::NamedTempFile::new().unwrap();
    path.write_all(file.as_bytes()).unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables = variables.iter().map(owned).collect();
    load_from(Some(path.path()), variables).map_err(|error| error.to_string())
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_what_is_built_in() {
    let file = "[worker]\nslots = \"7\"\ntoken = \"0123\"\n[supervisor]\nother = 1\n";
    let own = read(file, &[]).unwrap();
    assert_eq!(own, Own { slots: 7, token: "0123".into(), on: false });
    let variables =
        [("TASKFLEET_WORKER__SLOTS", "8"), ("TASKFLEET_WORKER__ON", "true"), ("PATH", "x")];
    let own = read(file, &variables).unwrap();
    assert_eq!(own, Own { slots: 8, token: "0123".into(), on: true });
    assert_eq!(read("", &[]).unwrap(), Own::default());
}

#[test]
fn an_empty_variable_is_unset_whatever_its_name() {
    let variables =
        [("TASKFLEET_WORKER__SLOTS", ""), ("TASKFLEET_WORKR__X", ""), ("TASKFLEET_CONFIG", "f")];
    assert_eq!(read("[worker]\nslots = 3", &variables).unwrap().slots, 3);
}

#[test]
fn an_unknown_name_is_named_as_it_is_written() {
    for (file, variable, named) in [
        ("[worker]\nslotz = 1", "", "slotz in [worker]"),
        ("[workr]\nslots = 1", "", "workr"),
        ("slots = 1", "", "slots"),
        ("", "TASKFLEET_WORKER__SLOTZ", "TASKFLEET_WORKER__SLOTZ"),
        ("", "TASKFLEET_SUPERVISR__STORE", "TASKFLEET_SUPERVISR__STORE"),
        ("", "TASKFLEET_WORKER_PORT_80_TCP", "TASKFLEET_WORKER_PORT_80_TCP"),
        ("", "TASKFLEET_WORKER_SLOTS", "TASKFLEET_WORKER_SLOTS"),
    ] {
        let error = read(file, &[(variable, "1")]).unwrap_err();
        assert!(error.contains(&format!("no setting {named};")), "{error}");
    }
    assert!(read("[worker]\nslotz = 1", &[]).unwrap_err().contains("has slots, token, on"));
}

#[test]
fn a_value_that_does_not_fit_is_told_with_its_key() {
    for (file, value, words) in [
        ("[worker]\nslots = \"many\"", "", "slots"),
        ("", "many", "slots"),
        ("", "11", "slots is 11: it must be from 0 to 10 calls"),
        ("", "-1", "slots is -1: it must be from 0 to 10 calls"),
        ("[worker]\nslots = -7", "", "slots is -7: it must be from 0 to 10 calls"),
        ("worker = 1", "", "worker"),
    ] {
        let error = read(file, &[("TASKFLEET_WORKER__SLOTS", value)]).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_place_and_not_quoted() {
    let error = read("[worker]\nslots = 1\ntoken = \"hunter2", &[]).unwrap_err();
    assert!(error.contains("line 3") && !error.contains("hunter2"), "{error}");
    let missing = load_from::<Own>(Some(Path::new("/nowhere/at.toml")), Map::new()).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/at.toml"), "{missing}");
}
