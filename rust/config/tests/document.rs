//! docs/CLIENT.md names every key and exit code as the program does, and its example loads.

use config::exit::EXIT_CODES;
use config::keys::{KEYS, Kind};
use config::locate::Environment;
use config::{Command, Config};
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn every_key_and_every_exit_code_is_in_the_document() {
    let document = std::fs::read_to_string(docs().join("CLIENT.md")).unwrap();
    let keys = KEYS.iter().map(|key| {
        let value = match key.kind {
            Kind::Flag => "true or false",
            _ => key.placeholder,
        };
        format!("| `{}` | {value} | {} |", key.path, key.help)
    });
    let codes = EXIT_CODES.iter().map(|(code, meaning)| format!("| {} | {meaning} |", code.number()));
    let missing: Vec<String> = keys.chain(codes).filter(|row| !document.contains(row)).collect();
    assert!(missing.is_empty(), "docs/CLIENT.md lacks these rows:\n{}", missing.join("\n"));
}

#[test]
fn the_example_is_a_configuration() {
    let example = docs().join("examples/office.toml").into_os_string();
    let Ok(Command::Up(connection)) = config::parse(["cutover".into(), "up".into(), example]) else {
        panic!("the command line does not parse");
    };
    let config = Config::load(&connection.target, &connection.overrides, &Environment::default()).unwrap();
    assert_eq!((config.name.as_str(), config.warnings.len()), ("office", 0));
}
