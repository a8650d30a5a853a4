//! What the Dockerfile says of an image.

use std::{collections::BTreeMap, fs};

use crate::{
    container::{Container, PROGRAMS},
    yaml::top,
};

/// The lines that make the image of that target; what goes on is joined.
fn stage(target: &str) -> Vec<String> {
    let text = fs::read_to_string(top("Dockerfile")).unwrap().replace("\\\n", " ");
    let mut stages = text.split("\nFROM ").skip(1);
    let named = |stage: &&str| {
        stage.lines().next().is_some_and(|line| line.ends_with(&format!(" AS {target}")))
    };
    let stage = stages.find(named);
    let stage = stage.unwrap_or_else(|| panic!("the Dockerfile has no stage {target}"));
    stage.lines().map(str::to_owned).collect()
}

/// The program that it runs.
pub(crate) fn entrypoint(target: &str) -> String {
    let lines = stage(target);
    let line = lines.iter().find_map(|line| line.strip_prefix("ENTRYPOINT "));
    serde_json::from_str::<[String; 1]>(line.unwrap()).unwrap().concat()
}

/// The variables that it brings along.
pub(crate) fn env(target: &str) -> BTreeMap<String, String> {
    let lines = stage(target);
    let words =
        lines.iter().filter_map(|line| line.strip_prefix("ENV ")).flat_map(str::split_whitespace);
    words.filter_map(|word| word.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

#[test]
fn every_variable_of_an_image_is_one_that_its_program_takes() {
    for program in PROGRAMS {
        Container { program: program.to_owned(), args: Vec::new(), env: env(program) }.check();
    }
}

#[test]
fn an_images_program_serves_other_containers() {
    for program in PROGRAMS {
        let of_image =
            Container { program: program.to_owned(), args: Vec::new(), env: env(program) };
        let listens = of_image.listens();
        assert!(listens.iter().all(|address| address.ip().is_unspecified()), "{listens:?}");
    }
}
