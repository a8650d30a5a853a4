//! The environment as a source of settings.

use std::ffi::OsString;

use config::{Environment, Map};

use super::{InvalidSettings, SECTIONS};

/// Variables of ours that are no settings of a service: the file, where the CLI finds its
/// supervisor, which images docker compose takes.
pub const OWN_VARIABLES: [&str; 3] = ["TASKFLEET_CONFIG", "TASKFLEET_ADDRESS", "TASKFLEET_TAG"];

/// What the library calls the environment.
pub(super) const ORIGIN: &str = "the environment";
const PREFIX: &str = "TASKFLEET";

/// The variable that sets `key` of `section`.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}_{}__{}", section.to_uppercase(), key.to_uppercase())
}

/// The variables of this process that begin as ours do and say something.
pub(super) fn variables() -> Result<Map<String, String>, InvalidSettings> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        (is_ours(&name) && !value.is_empty()).then_some((name, value))
    });
    ours.map(text).collect()
}

fn text((name, value): (String, OsString)) -> Result<(String, String), InvalidSettings> {
    // Without the value: it may be a token.
    let value = value.into_string().map_err(|_| InvalidSettings::NotText(name.clone()))?;
    Ok((name, value))
}

fn is_ours(name: &str) -> bool {
    name.to_uppercase().starts_with(&format!("{PREFIX}_"))
}

/// What the variables set.
///
/// # Errors
/// One of them begins as ours do and belongs to no service.
pub(super) fn source(variables: Map<String, String>) -> Result<Environment, InvalidSettings> {
    let said = variables.into_iter().filter(|(name, value)| is_ours(name) && !value.is_empty());
    let settings: Map<String, String> =
        said.filter(|(name, _)| !OWN_VARIABLES.contains(&name.as_str())).collect();
    match settings.keys().find(|name| !has_section(name)) {
        Some(unknown) => Err(unknown_variable(unknown)),
        None => Ok(Environment::with_prefix(PREFIX)
            .prefix_separator("_")
            .separator("__")
            .source(Some(settings))),
    }
}

fn has_section(name: &str) -> bool {
    let name = name.to_uppercase();
    SECTIONS.iter().any(|section| name.starts_with(&variable(section, "")))
}

fn unknown_variable(name: &str) -> InvalidSettings {
    let begins = SECTIONS.map(|section| variable(section, "…")).join(" or ");
    let hint = format!(
        "ours are {begins}, {}. Kubernetes' service links put such names there: switch them off \
         with enableServiceLinks: false",
        OWN_VARIABLES.join(", ")
    );
    InvalidSettings::Unknown { origin: ORIGIN.into(), key: name.to_owned(), hint }
}
