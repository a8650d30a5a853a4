use secrecy::ExposeSecret;

use super::*;

fn api(variables: &[(&str, &str)]) -> ApiSettings {
    ApiSettings::from_variables(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn an_empty_variable_is_unset() {
    let api = api(&[("OPENAI_API_KEY", " "), ("OPENAI_BASE_URL", ""), ("OPENAI_MODEL", "m")]);
    assert!(api.key.is_none());
    assert_eq!(api.base_url, "https://api.openai.com/v1");
    assert_eq!(api.model, "m");
}

#[test]
fn debug_shows_no_key_and_no_token() {
    let mut settings =
        Settings { api: api(&[("OPENAI_API_KEY", "sk-1234")]), ..Settings::default() };
    settings.join_token = Some("letmein".into());
    assert_eq!(settings.api.key.as_ref().unwrap().expose_secret(), "sk-1234");
    let shown = format!("{settings:?}");
    assert!(!shown.contains("1234") && !shown.contains("letmein"), "{shown}");
}

#[test]
fn the_defaults_make_sense_and_nonsense_is_named() {
    Settings::default().check().unwrap();
    let refused = |settings: Settings| settings.check().unwrap_err().to_string();
    assert!(refused(Settings { slots: 0, ..Settings::default() }).contains("slots"));
    assert!(refused(Settings { slots: 10_001, ..Settings::default() }).contains("slots"));
    let supervisor = "localhost".into();
    assert!(refused(Settings { supervisor, ..Settings::default() }).contains("supervisor"));
    let advertise = ":x".into();
    assert!(refused(Settings { advertise, ..Settings::default() }).contains("advertise"));
    for advertise in [":0", "host:1", "[::1]:2", ""] {
        Settings { advertise: advertise.into(), ..Settings::default() }.check().unwrap();
    }
}

#[test]
fn lists_and_seconds_come_as_files_and_variables_have_them() {
    let read = |json: &str| serde_json::from_str::<Settings>(json);
    let settings =
        read(r#"{"models": "a, b", "shutdown_grace_seconds": 0.5, "join_token": "t"}"#).unwrap();
    assert_eq!(settings.models, ["a", "b"]);
    assert_eq!(settings.shutdown_grace, Duration::from_millis(500));
    assert_eq!(read(r#"{"models": ["a"]}"#).unwrap().models, ["a"]);
    assert!(read(r#"{"hold_unsettled_seconds": -1}"#).is_err());
    assert!(read(r#"{"slotz": 1}"#).unwrap_err().to_string().contains("slotz"));
}
