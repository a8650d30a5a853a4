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
/// as unset. Values are taken as text and read as what the setting is, so that a token of
/// digits stays what it was.
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
        .ignore_empty(true);
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

#[cfg(test)]
mod tests {
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

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn each_section_reads_its_own_keys_and_text_becomes_what_the_setting_is() {
        let file = file("[one]\nslots = \"7\"\ntoken = \"0123\"\non = true\n[two]\nother = 1\n");
        let own: Own = load("one", Some(file.path())).unwrap();
        assert_eq!(own, Own { slots: 7, token: "0123".into(), on: true });
        assert_eq!(load::<Own>("three", Some(file.path())).unwrap(), Own::default());
    }

    #[test]
    fn an_unknown_key_and_a_value_that_does_not_fit_are_named() {
        for (text, named) in [("[one]\nslotz = 1", "slotz"), ("[one]\nslots = \"many\"", "slots")] {
            let file = file(text);
            let error = load::<Own>("one", Some(file.path())).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
