//! Holds the table of Cedar's error numbers to the C source: every row as Cedar.h defines it, and
//! a row for every error that the client path and the server's login can set.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use config::cedar_error::CEDAR_ERRORS;

fn c_source(file: &str) -> String {
    let root = std::env::var_os("SOFTETHER_SRC")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vendor/SoftEtherVPN"));
    let path = root.join("src/Cedar").join(file);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run vendor/fetch", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn defined() -> HashMap<String, u32> {
    let header = c_source("Cedar.h");
    let definition = |line: &str| {
        let mut words = line.split_whitespace();
        let is_error = words.next() == Some("#define");
        let symbol = words.next().filter(|symbol| is_error && symbol.starts_with("ERR_"))?;
        Some((symbol.to_owned(), words.next()?.parse().ok()?))
    };
    header.lines().filter_map(definition).collect()
}

#[test]
fn every_row_is_as_cedar_h_defines_it() {
    let defined = defined();
    assert!(defined.len() > 100, "Cedar.h is not what it was: {} errors", defined.len());
    for error in CEDAR_ERRORS {
        assert_eq!(defined.get(error.symbol), Some(&error.number), "{}", error.symbol);
    }
}

#[test]
fn every_error_of_a_session_has_a_row() {
    let defined = defined();
    for file in ["Protocol.c", "Session.c"] {
        let source = c_source(file);
        let symbols: Vec<&str> = source
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| defined.contains_key(*word))
            .collect();
        assert!(!symbols.is_empty(), "{file}");
        for symbol in symbols {
            assert!(CEDAR_ERRORS.iter().any(|error| error.symbol == symbol), "{file} uses {symbol}");
        }
    }
}
