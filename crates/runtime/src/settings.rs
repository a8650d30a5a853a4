//! Settings: built-in values, then a TOML file, then the environment.

mod environment;
mod fields;
mod file;
mod listen;
mod numbers;

use std::path::Path;

use config::{Config, ConfigError, Map, Value, ValueKind};
use serde::de::DeserializeOwned;

pub use environment::OWN_VARIABLES;
pub use fields::fields;
pub use listen::listen;
pub use numbers::{Number, OutOfRange, check};

/// The services that have settings, each in a section of its own. One file and one
/// environment may serve them all, so each knows the names of the others.
pub const SECTIONS: [&str; 2] = ["supervisor", "worker"];

/// The settings of one service. A field that is missing has its built-in value.
pub trait Section: Default + DeserializeOwned {
    /// `[name]` in the file, `TASKFLEET_NAME__` in the environment.
    const NAME: &'static str;

    /// Every setting that is a number, with its range; one that is not set by default too.
    fn numbers(&self) -> Vec<Number>;
}

/// The settings could not be used. Says which key and why; the value of one that may hold a
/// secret is never shown.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// A name that no setting has.
    #[error("{origin}: there is no setting {key}; {hint}")]
    Unknown {
        /// The file or the environment.
        origin: String,
        /// As it is written there.
        key: String,
        /// What would be right.
        hint: String,
    },
    /// The file cannot be read, or is no TOML.
    #[error("{0}")]
    File(String),
    /// A variable's value is no text.
    #[error("the environment: {0} is no text in UTF-8")]
    NotText(String),
    /// A value does not fit.
    #[error("[{section}] {error}")]
    Value {
        /// Whose setting it is.
        section: &'static str,
        /// Names the key.
        error: ConfigError,
    },
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

/// Reads the settings of one service from the file, if there is one, and the environment.
///
/// Values of the file go over the built-in ones, and variables of the environment over both:
/// `TASKFLEET_SUPERVISOR__GRPC_LISTEN` sets `grpc_listen` of `[supervisor]`. An empty variable
/// counts as unset. Values are taken as text and read as what the setting is, so that a token
/// of digits stays what it was.
///
/// # Errors
/// When the file cannot be read, a name is unknown, or a value does not fit; see
/// [`InvalidSettings`].
pub fn load<T: Section>(path: Option<&Path>) -> Result<T, InvalidSettings> {
    load_from(path, environment::variables()?)
}

/// Like [`load`], with these variables for the environment.
///
/// # Errors
/// See [`load`].
pub fn load_from<T: Section>(
    path: Option<&Path>,
    variables: Map<String, String>,
) -> Result<T, InvalidSettings> {
    let mut builder = Config::builder();
    if let Some(path) = path {
        builder = builder.add_source(file::read(path)?);
    }
    let unusable = |error| InvalidSettings::Value { section: T::NAME, error };
    let all = builder.add_source(environment::source(variables)?).build().map_err(unusable)?;
    let own = match all.get_table(T::NAME) {
        Ok(table) => table,
        Err(ConfigError::NotFound(_)) => Map::new(),
        Err(error) => return Err(unusable(error)),
    };
    check_names::<T>(&own)?;
    numbers::check_written::<T>(&own)?;
    let settings: T =
        Value::new(None, ValueKind::Table(own)).try_deserialize().map_err(unusable)?;
    check(&settings)?;
    Ok(settings)
}

fn check_names<T: Section>(own: &Map<String, Value>) -> Result<(), InvalidSettings> {
    let known = fields::<T>();
    let mut unknown = own.iter().filter(|(key, _)| !known.contains(&key.as_str()));
    let Some((key, value)) = unknown.next() else { return Ok(()) };
    let (origin, key) = match value.origin() {
        Some(file) if file != environment::ORIGIN => (file, format!("{key} in [{}]", T::NAME)),
        _ => (environment::ORIGIN, environment::variable(T::NAME, key)),
    };
    let hint = format!("[{}] has {}", T::NAME, known.join(", "));
    Err(InvalidSettings::Unknown { origin: origin.to_owned(), key, hint })
}

#[cfg(test)]
mod tests;
