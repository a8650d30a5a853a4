//! Settings: built-in values, then a TOML file, then the environment.

use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

/// The settings could not be used. Says which key and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(#[from] config::ConfigError);

/// Reads the settings of one service.
///
/// Values of the file, if there is one, go over the built-in ones of `T`, and variables of
/// the environment over both: `TASKFLEET_SUPERVISOR__GRPC_LISTEN` sets `grpc_listen` for
/// `section` "supervisor", which is `[supervisor]` in the file. An empty variable counts
/// as unset.
///
/// # Errors
/// When the file cannot be read, a key is unknown or a value does not fit; names the key.
pub fn load<T: DeserializeOwned>(section: &str, file: Option<&Path>) -> Result<T, InvalidSettings> {
    let mut builder = Config::builder();
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let environment = Environment::with_prefix("TASKFLEET")
        .prefix_separator("_")
        .separator("__")
        .ignore_empty(true)
        .try_parsing(true);
    let all = builder.add_source(environment).build()?;
    match all.get_table(section) {
        Ok(table) => {
            let mut own = Config::builder();
            for (key, value) in table {
                own = own.set_override(key, value)?;
            }
            Ok(own.build()?.try_deserialize()?)
        }
        Err(config::ConfigError::NotFound(_)) => Ok(Config::default().try_deserialize()?),
        Err(error) => Err(error.into()),
    }
}
