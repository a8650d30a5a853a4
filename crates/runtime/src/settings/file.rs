//! A TOML file as a source of settings.

use std::{fs, path::Path};

use config::{Config, ConfigError, Map, Value};

use super::{InvalidSettings, SECTIONS};

/// What the file sets.
///
/// # Errors
/// It cannot be read, is no TOML, or has a section that no service has.
pub(super) fn read(path: &Path) -> Result<Config, InvalidSettings> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| InvalidSettings::File(format!("{name}: cannot be read: {error}")))?;
    let wrong = |error: ConfigError| InvalidSettings::File(format!("{name}: {}", place(&error)));
    let source = config::File::from_str(&text, config::FileFormat::Toml);
    let whole = Config::builder().add_source(source).build().map_err(wrong)?;
    let sections: Map<String, Value> = whole.try_deserialize().map_err(wrong)?;
    check_sections(&name, &sections)?;
    named(&name, sections).map_err(wrong)
}

fn check_sections(name: &str, sections: &Map<String, Value>) -> Result<(), InvalidSettings> {
    match sections.keys().find(|section| !SECTIONS.contains(&section.as_str())) {
        Some(unknown) => Err(InvalidSettings::Unknown {
            origin: name.to_owned(),
            key: unknown.clone(),
            hint: format!("the sections are [{}]", SECTIONS.join("] and [")),
        }),
        None => Ok(()),
    }
}

/// The values, each with the file's name, for errors.
fn named(name: &str, sections: Map<String, Value>) -> Result<Config, ConfigError> {
    let origin = name.to_owned();
    let mut named = Config::builder();
    for (section, value) in sections {
        let no_table = |_| ConfigError::Message(format!("{section} is no [section]"));
        let table = value.into_table().map_err(no_table)?.into_iter();
        let table: Map<String, Value> =
            table.map(|(key, value)| (key, Value::new(Some(&origin), value.kind))).collect();
        named = named.set_default(section.as_str(), table)?;
    }
    named.build()
}

/// Where it is wrong and what is, without the line itself: it may hold a token.
fn place(error: &ConfigError) -> String {
    let said = error.to_string();
    let is_quoted = |line: &&str| line.contains('|');
    said.lines().filter(|line| !is_quoted(line)).collect::<Vec<_>>().join(": ")
}
