//! docs/settings.md is `.env.example` as a table: it is made from it, so that neither tells
//! what the other does not.

use std::{fmt::Write, fs};

use crate::configuration::path;

/// `UPDATE_SETTINGS=1` writes it anew.
const UPDATE: &str = "UPDATE_SETTINGS";

const HEAD: &str = "\
# Settings

Made from [`.env.example`](../.env.example), which says the same for copying. [configuration.md](configuration.md) says where values come from
and what is refused. In a TOML file `TASKFLEET_SUPERVISOR__GRPC_LISTEN` is `grpc_listen` of `[supervisor]`.
";

const COLUMNS: &str = "\n| variable | built in | what |\n|---|---|---|\n";

/// The table that follows from the example.
fn table(example: &str) -> String {
    let (mut table, mut comment) = (HEAD.to_owned(), String::new());
    for line in example.lines() {
        if let Some(title) = line.strip_prefix("# ----") {
            let title = title.trim_matches(['-', ' ']);
            write!(table, "\n## {title}\n{COLUMNS}").unwrap();
        } else if let Some(words) = line.strip_prefix("# ") {
            comment = format!("{comment} {words}");
        } else if let Some((name, value)) = line.strip_prefix('#').and_then(|l| l.split_once('=')) {
            let value = if value.is_empty() { "–".to_owned() } else { format!("`{value}`") };
            writeln!(table, "| `{name}` | {value} |{comment} |").unwrap();
            comment.clear();
        } else {
            comment.clear();
        }
    }
    table
}

#[test]
fn the_table_of_settings_says_what_the_example_says() {
    let made = table(&fs::read_to_string(path(".env.example")).unwrap());
    let file = path("docs/settings.md");
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&file, &made).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let how = format!("{UPDATE}=1 cargo test -p taskfleet --test cli reference");
    assert!(written == made, "docs/settings.md is not what .env.example says: {how}");
}
